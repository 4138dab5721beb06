//! A value that a program prints.

use std::io::{self, Read};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::envelope::MAX_VALUE;
use super::fault::Fault;
use super::held;
use crate::interrupt::Program;

/// How long a program may take: somebody may have to touch a key or type a passphrase.
const TIME: Duration = Duration::from_secs(120);

/// Runs a program without a shell and returns what it prints, without one line feed at the end.
///
/// Its standard input is empty, and what it writes to its standard error is not kept, because either may hold what no
/// log may.
pub(super) fn output(words: &[String]) -> Result<Zeroizing<String>, Fault> {
    output_within(words, TIME)
}

fn output_within(words: &[String], time: Duration) -> Result<Zeroizing<String>, Fault> {
    let Some((name, arguments)) = words.split_first() else {
        return Err(Fault::new("expected a program and its arguments"));
    };
    let shown = name.escape_debug().to_string();
    let fail = |reason: String| {
        Fault::new(format!("`{shown}` {reason}")).hint("run it yourself to see what it says")
    };
    let broken = |error: io::Error| fail(format!("cannot be run: {error}"));
    let end = Instant::now() + time;
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut program = Program::start(&mut command).map_err(broken)?;
    let (stdout, _) = program.outputs();
    let read = match stdout.map(collect) {
        Some(output) => output.recv_timeout(time).ok(),
        None => Some(Ok(Some(Zeroizing::default()))),
    };
    let too_long = || fail(format!("did not end within {} s", time.as_secs()));
    let Some(read) = read else {
        program.end().map_err(broken)?;
        return Err(too_long());
    };
    let Some(mut bytes) = read.map_err(broken)? else {
        program.end().map_err(broken)?;
        return Err(fail(format!("printed more than {MAX_VALUE} bytes")));
    };
    let rest = end.saturating_duration_since(Instant::now());
    let Some(status) = program.wait(Some(rest)).map_err(broken)? else {
        program.end().map_err(broken)?;
        return Err(too_long());
    };
    if !status.success() {
        return Err(fail(format!("failed with {status}")));
    }
    held::without_line_feed(&mut bytes);
    held::text(bytes).ok_or_else(|| fail("printed what is not UTF-8 text".into()))
}

type Collected = io::Result<Option<Zeroizing<Vec<u8>>>>;

/// Reads on a thread of its own, which is not waited for: a child of the program may keep the pipe open.
fn collect(mut pipe: ChildStdout) -> mpsc::Receiver<Collected> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let read = held::read(&mut pipe.by_ref(), MAX_VALUE);
        // Whoever waited may have given up.
        sender.send(read).ok();
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str], time: Duration) -> Result<String, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let output = output_within(&words, time).map(|text| (*text).clone());
        output.map_err(|fault| fault.message)
    }

    #[test]
    fn what_is_printed_is_the_value() {
        let minute = Duration::from_secs(60);
        let cases: [(&[&str], Result<&str, &str>); 9] = [
            (&["printf", "a b\n"], Ok("a b")),
            (&["printf", "a\n\n"], Ok("a\n")),
            (&["printf", " a"], Ok(" a")),
            (&["true"], Ok("")),
            (&["cat"], Ok("")),
            (&["echo", "$HOME; `id`"], Ok("$HOME; `id`")),
            (
                &["sh", "-c", "echo hunter2; echo hunter2 >&2; exit 3"],
                Err("`sh` failed with exit status: 3"),
            ),
            (&["printf", "\\377"], Err("`printf` printed what is not UTF-8 text")),
            (&["yes"], Err("`yes` printed more than 1048576 bytes")),
        ];
        for (words, expected) in cases {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(run(words, minute), expected, "{words:?}");
        }
        let missing = run(&["no-such-program"], minute).unwrap_err();
        assert!(missing.starts_with("`no-such-program` cannot be run: "), "{missing}");
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let second = Duration::from_secs(1);
        for words in [&["sleep", "600"][..], &["sh", "-c", "exec >&-; exec sleep 600"]] {
            let started = Instant::now();
            let error = run(words, second).unwrap_err();
            assert!(error.ends_with("did not end within 1 s"), "{error}");
            assert!(started.elapsed() < Duration::from_secs(30));
        }
    }
}
