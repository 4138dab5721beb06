//! Secrets from a terminal, which does not show them.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

/// The longest line, in bytes.
const LIMIT: usize = 64 * 1024;
/// What Ctrl-C, Ctrl-D, Ctrl-U and the two backspaces send.
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const KILL: u8 = 21;
const BACKSPACES: [u8; 2] = [8, 127];

/// Asks for one line on the terminal that is the standard input, and does not show it.
///
/// Line editing is done here, because a terminal in its usual mode takes lines of 4095 bytes at most, and cannot be put
/// right again if a signal ends the program.
pub(super) fn ask(prompt: &str) -> io::Result<Zeroizing<String>> {
    let stdin = io::stdin();
    let terminal = stdin.as_fd();
    let hidden = Hidden::new(terminal)?;
    write!(io::stderr(), "{prompt}: ")?;
    let line = line(&mut |byte| Ok(rustix::io::read(terminal, byte)?));
    drop(hidden);
    writeln!(io::stderr())?;
    line
}

/// A terminal that shows nothing, until dropped.
struct Hidden<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn new(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // Nobody is left to be told.
        tcsetattr(self.terminal, OptionalActions::Flush, &self.before).ok();
    }
}

/// Reads bytes until a line ends.
fn line(read: &mut dyn FnMut(&mut [u8; 1]) -> io::Result<usize>) -> io::Result<Zeroizing<String>> {
    let cancelled = || io::Error::new(io::ErrorKind::Interrupted, "cancelled");
    // It never grows, because growing would leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(LIMIT));
    let mut byte = Zeroizing::new([0]);
    loop {
        match read(&mut byte) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match byte[0] {
            b'\n' | b'\r' => break,
            END if line.is_empty() => return Err(cancelled()),
            END => break,
            INTERRUPT => return Err(cancelled()),
            KILL => line.clear(),
            byte if BACKSPACES.contains(&byte) => {
                // A character is several bytes, the first of which is none of 10xxxxxx.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            _ if line.len() == LIMIT => {
                let reason = format!(
                    "expected at most {LIMIT} bytes; give longer secrets on standard input"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            byte => line.push(byte),
        }
    }
    match String::from_utf8(std::mem::take(&mut *line)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(io::Error::new(io::ErrorKind::InvalidData, "this is not UTF-8 text"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Result<String, String> {
        let mut keys = keys.iter();
        let line = line(&mut |byte| {
            Ok(keys.next().map_or(0, |key| {
                byte[0] = *key;
                1
            }))
        });
        line.map(|text| (*text).clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_can_be_edited() {
        let cases: [(&[u8], Result<&str, &str>); 9] = [
            (b"secret\nmore", Ok("secret")),
            (b"secret\r", Ok("secret")),
            (b"\n", Ok("")),
            (b"sex\x7fcret\n", Ok("secret")),
            ("s\u{e4}\x08ecret\n".as_bytes(), Ok("secret")),
            (b"wrong\x15secret\n", Ok("secret")),
            (b"secret\x04", Ok("secret")),
            (b"sec\x03", Err("cancelled")),
            (b"\xff\n", Err("this is not UTF-8 text")),
        ];
        for (keys, expected) in cases {
            assert_eq!(typed(keys), expected.map(str::to_owned).map_err(str::to_owned), "{keys:?}");
        }
        let long = vec![b'a'; LIMIT + 1];
        assert!(typed(&long).unwrap_err().contains("at most 65536 bytes"));
    }
}
