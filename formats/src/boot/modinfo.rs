//! What a kernel module says of itself.
//!
//! The section `.modinfo` of the object file holds texts `key=value`, each with a NUL byte at its
//! end; a key may stand there several times (Linux, `include/linux/module.h`, `MODULE_INFO`). A
//! file may be compressed as a whole.

use std::io::{BufReader, Read};

use super::part::Part;
use crate::elf;
use crate::encode::{Codec, decoder, sniff};
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::tree::escape;

/// The longest section that is read; the module with the most aliases has 60 KiB.
const SECTION_MAX: u64 = 4 << 20;
/// The largest module, uncompressed: those for graphics have 20 MiB.
const MODULE_MAX: u64 = 128 << 20;
/// How many bytes tell how a file is compressed.
const MAGIC: usize = 6;

/// What a kernel module says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Module {
    /// The names of modules that must be loaded before it.
    pub depends: Vec<String>,
    /// The names of modules or aliases that should be loaded before it.
    pub before: Vec<String>,
    /// The names of modules or aliases that should be loaded after it.
    pub after: Vec<String>,
    /// Patterns of what it is for: devices, e.g. `virtio:d00000002v*`, and other names.
    pub aliases: Vec<String>,
    /// The licence.
    pub license: Option<String>,
    /// The files with firmware that it may ask for.
    pub firmware: Vec<String>,
}

impl Module {
    /// Reads a module, compressed or not.
    pub fn read(input: &dyn ReadAt) -> Result<Self, ReadError> {
        match codec(input)? {
            Codec::None => Self::of_elf(input),
            _ => Self::of_elf(&uncompressed(input)?),
        }
    }

    fn of_elf(input: &dyn ReadAt) -> Result<Self, ReadError> {
        let invalid = |reason: String| ReadError::invalid("kernel module", reason);
        let found = elf::section(input, ".modinfo").map_err(|error| invalid(error.to_string()))?;
        let Some((offset, len)) = found else {
            return Err(invalid("it has no section .modinfo".into()));
        };
        if len > SECTION_MAX {
            return Err(ReadError::malformed(
                "kernel module",
                offset,
                format!("a section .modinfo of at most {SECTION_MAX} bytes"),
                len.to_string(),
            ));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        input.read_exact_at(offset, &mut bytes)?;
        Self::of_texts(&bytes)
    }

    /// Parses the section.
    fn of_texts(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut module = Self::default();
        for text in bytes.split(|byte| *byte == 0) {
            let Ok(text) = std::str::from_utf8(text) else {
                // Only what people read is not ASCII, e.g. the name of an author.
                continue;
            };
            let Some((key, value)) = text.split_once('=') else { continue };
            match key {
                "depends" => module.depends.extend(names(value, |c| c == ',')?),
                "softdep" => module.add_soft(value)?,
                "alias" => module.aliases.push(value.to_owned()),
                "license" => module.license = Some(value.to_owned()),
                "firmware" => module.firmware.push(value.to_owned()),
                _ => {}
            }
        }
        Ok(module)
    }

    /// Takes in `pre: a b post: c`.
    fn add_soft(&mut self, text: &str) -> Result<(), ReadError> {
        let mut list = None;
        for word in names(text, char::is_whitespace)? {
            match (word.as_str(), &mut list) {
                ("pre:", _) => list = Some(&mut self.before),
                ("post:", _) => list = Some(&mut self.after),
                (_, Some(list)) => list.push(word),
                // Some modules leave out which of the two they mean; kmod ignores those.
                (_, None) => {}
            }
        }
        Ok(())
    }
}

/// Returns the bytes of a module without its compression.
pub fn uncompressed(input: &dyn ReadAt) -> Result<Vec<u8>, ReadError> {
    let codec = codec(input)?;
    let mut bytes = Vec::new();
    let file = BufReader::new(Part::new(input, 0, input.len()));
    let read = decoder(codec, file)?.take(MODULE_MAX + 1).read_to_end(&mut bytes);
    if let Err(error) = read {
        let expected = format!("a valid {} file", codec.word());
        return Err(ReadError::malformed("kernel module", 0, expected, error.to_string()));
    }
    if bytes.len() as u64 > MODULE_MAX {
        let expected = format!("a module of at most {MODULE_MAX} bytes");
        return Err(ReadError::malformed("kernel module", 0, expected, "more"));
    }
    Ok(bytes)
}

/// Returns how a module is compressed.
pub fn codec(input: &dyn ReadAt) -> Result<Codec, ReadError> {
    let mut magic = vec![0; usize::try_from(input.len()).unwrap_or(MAGIC).min(MAGIC)];
    input.read_exact_at(0, &mut magic)?;
    Ok(sniff(&magic))
}

/// Returns the name that the kernel has for a module: `-` and `_` are the same to it.
pub fn name(text: &str) -> String {
    text.replace('-', "_")
}

/// Returns the name of the module in a file, e.g. `virtio_blk` for `virtio-blk.ko.xz`; `None` if the
/// file is no module.
pub fn name_of_file(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let stem = [".ko", ".ko.gz", ".ko.xz", ".ko.zst"].iter().find_map(|end| file.strip_suffix(end));
    stem.filter(|stem| is_name(stem)).map(name)
}

/// Splits a text into names, and makes sure that they are some.
fn names(text: &str, separator: impl Fn(char) -> bool) -> Result<Vec<String>, ReadError> {
    let words = text.split(separator).filter(|word| !word.is_empty());
    words
        .map(|word| {
            if is_name(word.trim_end_matches(':')) {
                return Ok(name(word));
            }
            let reason = format!("it names a module `{}`", escape(word.as_bytes()));
            Err(ReadError::invalid("kernel module", reason))
        })
        .collect()
}

/// Returns whether a text can be a file's name and a word in a list.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
        && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_module_asks_for() {
        let text = b"license=GPL\0author=Andr\xe9\0alias=fs-x\0alias=pci:v*\0depends=a-b,c\0\
                     softdep=pre: crypto-crc32c d post: e\0softdep=gcm\0firmware=x/y.bin\0noise\0\0";
        let expected = Module {
            depends: vec!["a_b".into(), "c".into()],
            before: vec!["crypto_crc32c".into(), "d".into()],
            after: vec!["e".into()],
            aliases: vec!["fs-x".into(), "pci:v*".into()],
            license: Some("GPL".into()),
            firmware: vec!["x/y.bin".into()],
        };
        assert_eq!(Module::of_texts(text).unwrap(), expected);
        assert_eq!(Module::of_texts(b"depends=\0").unwrap(), Module::default());
    }

    #[test]
    fn refuses_names_that_are_paths() {
        for text in
            [&b"depends=../x\0"[..], b"depends=a b\0", b"depends=.\0", b"softdep=pre: a/b\0"]
        {
            assert!(Module::of_texts(text).is_err(), "{}", escape(text));
        }
    }

    #[test]
    fn knows_modules_by_their_files() {
        let rows = [
            ("kernel/drivers/block/virtio-blk.ko", Some("virtio_blk")),
            ("a.ko.xz", Some("a")),
            ("b.ko.zst", Some("b")),
            ("modules.dep", None),
            ("kernel/.ko", None),
            ("x/a b.ko", None),
        ];
        for (path, expected) in rows {
            assert_eq!(name_of_file(path).as_deref(), expected, "{path}");
        }
    }
}
