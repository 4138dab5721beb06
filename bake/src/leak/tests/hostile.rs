//! Thousands of damaged archives: a scan ends, does not panic, and says what it did not open.

use std::time::{Duration, Instant};

use super::*;

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let plain = text(SECRET);
    let inner = tar(&[("etc/x", &plain), ("a.gz", &gzip(&plain))]);
    let mut package = deb::Package::new("app", "1.0-1".parse().unwrap(), "amd64");
    package.maintainer = "A <a@example.com>".into();
    package.synopsis = "an app".into();
    package.compression = Compression::GZIP;
    let mut other = rpm::Package::new("app", "1.0", "1", "x86_64");
    other.summary = "an app".into();
    other.description = "An app.".into();
    other.license = "MIT".into();
    other.compression = Compression::GZIP;
    let long = format!("{}/{}", "a".repeat(90), "b".repeat(120));
    vec![
        ("tar", tar(&[("etc/x", &plain), ("a.tar", &inner), (&long, &plain)])),
        ("gzip", gzip(&inner)),
        ("zstd", zstd(&inner)),
        ("zip", zip(&[("x", &plain, Deflated), ("y.tar", &inner, Stored)])),
        ("deb", write::<deb::Deb>(&package, &tree, &store)),
        ("rpm", write::<rpm::Rpm>(&other, &tree, &store)),
        ("raw", write::<vm::Raw>(&disk(), &tree, &store)),
        ("qcow2", write::<vm::Qcow2>(&disk(), &tree, &store)),
        ("vmdk", write::<vm::Vmdk>(&disk(), &tree, &store)),
        ("vhdx", write::<vm::Vhdx>(&disk(), &tree, &store)),
        ("ova", write::<vm::Ova>(&disk(), &tree, &store)),
    ]
}

/// Changes some bytes, numbers above all, or the length.
fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    // What is at the beginning says what the rest is.
    let reach = if random.below(2) == 0 { bytes.len().min(2048) } else { bytes.len() };
    for _ in 0..=random.below(6) {
        let at = random.below(reach.min(bytes.len()));
        match random.below(7) {
            0 => bytes.truncate(at.max(16)),
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = b"0179fF \xff"[random.below(8)],
            3 => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                bytes[at..end].fill([0, 0xff, b'7', b'9'][random.below(4)]);
            }
            4 => {
                let from = random.below(bytes.len());
                let len = random.below(600).min(bytes.len() - from.max(at.min(bytes.len())));
                bytes.copy_within(from..from + len, at);
            }
            5 => {
                bytes.drain(at..(at + random.below(64)).min(bytes.len()));
            }
            _ => {
                let part = bytes[at..(at + random.below(700)).min(bytes.len())].to_vec();
                bytes.splice(at..at, part);
            }
        }
        if bytes.len() < 17 {
            break;
        }
    }
    bytes
}

#[test]
fn damaged_archives_are_searched_all_the_same() {
    let scanner = scanner();
    let limits = Limits { total: 64 << 20, free: 16 << 20, ..Limits::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (name, seed) in seeds() {
        let started = Instant::now();
        let mut tried = 0;
        while tried < 25 || (tried < 1500 && started.elapsed() < Duration::from_millis(300)) {
            let bytes = mutate(&seed, &mut Random(tried));
            fs_err::write(&path, &bytes).unwrap();
            let before = Instant::now();
            // An error is one of reading the file, of which there is none.
            let report = scan(&path, &scanner, limits, 1);
            let report = report.unwrap_or_else(|error| panic!("{name} {tried}: {error}"));
            assert!(report.bytes >= bytes.len() as u64, "{name} {tried}: all bytes are searched");
            let taken = before.elapsed();
            assert!(taken < Duration::from_secs(20), "{name} {tried}: {taken:?}");
            tried += 1;
        }
    }
}
