//! Measures how fast artifacts are searched: `leak VALUES FILE ARTIFACT…`.
//!
//! Makes so many values, writes them to a file, for other tools to search the same, and prints for each artifact how many million bytes one core searches in a second, with
//! the values and without, and beside it how many it reads and hashes.

#![expect(clippy::print_stdout, reason = "this is what it is for")]

use std::error::Error;
use std::io::Write;
use std::path::Path;

use bake::leak::{Limits, Needle, Needles, Scanner, scan};
use bake_formats::digest::Digest;
use zeroize::Zeroizing;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(count), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: leak VALUES FILE ARTIFACT…".into());
    };
    let values = values(count.parse()?);
    let mut list = fs_err::File::create(file)?;
    for value in &values {
        writeln!(list, "{value}")?;
    }
    let needles = values.iter().map(|value| Needle {
        key: "key".into(),
        environment: "prod".into(),
        value: Zeroizing::new(value.clone().into_bytes()),
        public: false,
    });
    let scanner = Scanner::new(Needles::new(needles));
    println!("{} values in {} forms", scanner.values(), scanner.forms());
    for path in arguments {
        measure(Path::new(&path), &scanner)?;
    }
    Ok(())
}

/// Returns values that look drawn at random and are the same each time, of 6 to 45 characters.
fn values(count: usize) -> Vec<String> {
    let alphabet: Vec<char> = ('!'..='~').filter(|letter| *letter != ' ').collect();
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or_default() % limit
    };
    let value =
        |number: usize| (0..6 + number % 40).map(|_| alphabet[next(alphabet.len())]).collect();
    (0..count).map(value).collect()
}

fn measure(path: &Path, scanner: &Scanner) -> Result<(), Box<dyn Error>> {
    let none = Scanner::new(Needles::default());
    for _ in 0..2 {
        let mut bytes = 0;
        let mut search = |scanner: &Scanner| -> Result<f64, Box<dyn Error>> {
            let start = seconds()?;
            bytes = scan(path, scanner, Limits::default(), 1)?.bytes;
            Ok(seconds()? - start)
        };
        let (with, without) = (search(scanner)?, search(&none)?);
        let start = seconds()?;
        let hashed =
            if path.is_file() { Digest::of_reader(fs_err::File::open(path)?)?.1 } else { 0 };
        let hash = seconds()? - start;
        let rate = |bytes: u64, time: f64| Rate { bytes, time };
        println!(
            "{}: {bytes} bytes: values {}, rules alone {}; read and hashed ({hashed} bytes) {}",
            path.display(),
            rate(bytes, with),
            rate(bytes, without),
            rate(hashed, hash),
        );
    }
    Ok(())
}

/// Returns how long this thread ran on a processor.
fn seconds() -> Result<f64, Box<dyn Error>> {
    let text = fs_err::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().unwrap_or_default();
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

struct Rate {
    bytes: u64,
    time: f64,
}

impl std::fmt::Display for Rate {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} MB/s", self.bytes as f64 / 1e6 / self.time)
    }
}
