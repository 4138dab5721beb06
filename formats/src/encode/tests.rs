//! Laws of whole payloads, and their golden digests.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::blob::{BlobSource, MemoryStore};

/// A store that can be damaged, counts what goes in and out, and may hand out few bytes at a time.
///
/// As every store it checks a blob that is read from its first byte to its last.
#[derive(Default)]
pub(super) struct TestStore {
    pub(super) blobs: Mutex<BTreeMap<Digest, Vec<u8>>>,
    pub(super) puts: AtomicUsize,
    /// How many bytes were read.
    pub(super) read: AtomicUsize,
    pub(super) small_reads: bool,
}

impl TestStore {
    pub(super) fn len_of_all(&self) -> usize {
        self.blobs.lock().unwrap().len()
    }

    pub(super) fn damage(&self, digest: &Digest, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.blobs.lock().unwrap().get_mut(digest).unwrap());
    }

    pub(super) fn remove(&self, digest: &Digest) {
        self.blobs.lock().unwrap().remove(digest).unwrap();
    }
}

impl BlobSource for TestStore {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let blobs = self.blobs.lock().unwrap();
        let bytes = blobs.get(digest).ok_or(io::ErrorKind::NotFound)?;
        let is_right = offset > 0 || Digest::of(bytes) == *digest;
        let rest = bytes[usize::try_from(offset).unwrap()..].to_vec();
        let rest = TestReader { rest: io::Cursor::new(rest), is_right, read: &self.read };
        Ok(if self.small_reads { Box::new(SmallReads(rest, 0)) } else { Box::new(rest) })
    }
}

struct TestReader<'a> {
    rest: io::Cursor<Vec<u8>>,
    is_right: bool,
    read: &'a AtomicUsize,
}

impl Read for TestReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.rest.read(buffer)?;
        self.read.fetch_add(count, Ordering::Relaxed);
        if self.rest.position() == self.rest.get_ref().len() as u64 && !self.is_right {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(count)
    }
}

impl BlobStore for TestStore {
    fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        let blob = Blob::of(bytes);
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.blobs.lock().unwrap().insert(blob.digest, bytes.to_vec());
        Ok(blob)
    }
}

/// Yields 1 to 7 bytes at a time.
struct SmallReads<R>(R, usize);

impl<R: Read> Read for SmallReads<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let wanted = self.1.min(buffer.len());
        self.0.read(&mut buffer[..wanted])
    }
}

/// What is kept of the segments in a store.
pub(super) struct TestCache<'a> {
    pub(super) store: &'a TestStore,
    pub(super) segments: Mutex<BTreeMap<Digest, Segment>>,
    pub(super) checkpoints: Mutex<BTreeMap<Digest, Vec<u8>>>,
}

impl<'a> TestCache<'a> {
    pub(super) fn of(store: &'a TestStore) -> Self {
        Self { store, segments: Mutex::default(), checkpoints: Mutex::default() }
    }
}

impl SegmentCache for TestCache<'_> {
    fn get(&self, key: &Digest) -> Option<Segment> {
        let segment = self.segments.lock().unwrap().get(key).copied()?;
        let blobs = self.store.blobs.lock().unwrap();
        let held = blobs.get(&segment.blob.digest)?;
        (held.len() as u64 == segment.blob.size).then_some(segment)
    }

    fn put(&self, key: &Digest, segment: &Segment) -> io::Result<()> {
        self.segments.lock().unwrap().insert(*key, *segment);
        Ok(())
    }

    fn checkpoint(&self, chain: &Digest) -> Option<Vec<u8>> {
        self.checkpoints.lock().unwrap().get(chain).cloned()
    }

    fn put_checkpoint(&self, chain: &Digest, record: &[u8]) -> io::Result<()> {
        self.checkpoints.lock().unwrap().insert(*chain, record.to_vec());
        Ok(())
    }
}

/// Returns bytes that look like text: words drawn at random, with numbers between them.
pub(super) fn text(len: usize, mut seed: u64) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "digest",
        " of the ",
        "blob",
        "\n",
        "segment ",
        "0x",
        "layer",
        "; ",
        "usr/share/",
        "rope",
        " = ",
        "tree",
        "/lib/",
        "entry ",
        "(",
        ")",
    ];
    let mut bytes = Vec::with_capacity(len + 32);
    while bytes.len() < len {
        // splitmix64
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut random = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^= random >> 31;
        for nibble in random.to_le_bytes() {
            bytes.extend(WORDS[usize::from(nibble & 15)].as_bytes());
        }
        bytes.extend(random.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Headers, small files, a large blob of `large` bytes, zeros, and a range of the large blob.
fn zstd_segment(raw: &[u8], level: u8) -> Vec<u8> {
    let mut out = Vec::new();
    zstd::Compressor::new().unwrap().compress(raw, level, &mut out).unwrap();
    out
}

fn sample(store: &dyn BlobStore, large: usize) -> Rope {
    let blob = store.put(&text(large, 1)).unwrap();
    let mut rope = Rope::new();
    for (number, len) in [0, 1, 511, 512, 70_000].into_iter().enumerate() {
        rope.push_bytes(format!("header of file {number}").as_bytes());
        rope.push_blob(store.put(&text(len, number as u64 + 10)).unwrap());
        rope.align(512);
    }
    rope.push_bytes(b"header of the large file");
    rope.push_blob(blob);
    rope.push_zeros(1 << 20);
    rope.push_range(blob.digest, 1000, large as u64 / 2);
    rope.push_bytes(b"end");
    rope
}

fn decode(codec: Codec, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    decoder(codec, bytes)?.read_to_end(&mut raw)?;
    Ok(raw)
}

const ALL: [Compression; 4] =
    [Compression::NONE, Compression::GZIP, Compression::ZSTD, Compression::XZ];

/// xz is slow; its first level runs the same code.
const QUICK: [Compression; 3] =
    [Compression::GZIP, Compression::ZSTD, Compression { codec: Codec::Xz, level: 1 }];

#[test]
fn what_is_encoded_decodes_to_the_rope_and_is_named_right() {
    let store = MemoryStore::new();
    let rope = sample(&store, 3 << 20);
    let raw = rope.to_vec(&store).unwrap();
    for compression in [&QUICK[..], &[Compression::NONE]].concat() {
        let encoded = Encoder::new(&store, &NoCache, 2).encode(&rope, compression).unwrap();
        let bytes = encoded.rope.to_vec(&store).unwrap();
        assert_eq!(encoded.blob, Blob::of(&bytes), "{compression}");
        assert_eq!(encoded.raw, Blob::of(&raw), "{compression}");
        assert_eq!(sniff(&bytes), compression.codec);
        assert!(decode(compression.codec, &bytes).unwrap() == raw, "{compression}");
    }
}

#[test]
fn an_empty_rope_makes_an_empty_payload() {
    let store = MemoryStore::new();
    for compression in ALL {
        let encoded = Encoder::new(&store, &NoCache, 2).encode(&Rope::new(), compression).unwrap();
        let bytes = encoded.rope.to_vec(&store).unwrap();
        assert_eq!(encoded.blob, Blob::of(&bytes));
        assert_eq!(encoded.raw, Blob::of(b""));
        assert_eq!(decode(compression.codec, &bytes).unwrap(), b"", "{compression}");
    }
}

#[test]
fn empty_payloads_are_the_shortest_that_the_formats_know() {
    let rows = [
        (Compression::GZIP, "1f8b08000000000000ff 0300 00000000 00000000"),
        (Compression::ZSTD, "28b52ffd 00 00 010000"),
        (
            Compression::XZ,
            "fd377a585a00 0001 6922de36 00000000 1cdf4421 9042990d 01000000 0001 595a",
        ),
    ];
    let store = MemoryStore::new();
    for (compression, expected) in rows {
        let encoded = Encoder::new(&store, &NoCache, 1).encode(&Rope::new(), compression).unwrap();
        let bytes = encoded.rope.to_vec(&store).unwrap();
        assert_eq!(crate::digest::hex(&bytes), expected.replace(' ', ""), "{compression}");
    }
}

#[test]
fn neither_threads_nor_cache_nor_reads_change_a_byte() {
    let plain = TestStore::default();
    let dripping = TestStore { small_reads: true, ..TestStore::default() };
    let rope = sample(&plain, 2 << 20);
    sample(&dripping, 2 << 20);
    for compression in QUICK {
        let first = Encoder::new(&plain, &NoCache, 1).encode(&rope, compression).unwrap();
        let dripped = Encoder::new(&dripping, &NoCache, 3).encode(&rope, compression).unwrap();
        assert_eq!(dripped, first, "{compression}");
        for threads in [1, 2, 8] {
            let cache = TestCache::of(&plain);
            for temperature in ["cold", "warm"] {
                let again = Encoder::new(&plain, &cache, threads).encode(&rope, compression);
                assert_eq!(again.unwrap(), first, "{compression} {threads} {temperature}");
            }
        }
    }
}

#[test]
fn a_warm_cache_compresses_no_kept_segment_again() {
    for compression in QUICK {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let rope = sample(&store, 3 << 20);
        let encoder = Encoder::new(&store, &cache, 2);
        let before = store.puts.load(Ordering::Relaxed);
        encoder.encode(&rope, compression).unwrap();
        let kept = store.puts.load(Ordering::Relaxed) - before;
        assert_eq!(kept, cache.segments.lock().unwrap().len());
        assert!(kept >= 2);
        encoder.encode(&rope, compression).unwrap();
        assert_eq!(store.puts.load(Ordering::Relaxed) - before, kept, "{compression}");
    }
}

#[test]
fn ropes_that_hold_the_same_large_blob_share_its_segments() {
    let store = TestStore::default();
    let cache = TestCache::of(&store);
    let blob = store.put(&text(9 << 20, 1)).unwrap();
    for header in [&b"tar header"[..], b"cpio header of another length"] {
        let mut rope = Rope::from(header.to_vec());
        rope.push_blob(blob);
        Encoder::new(&store, &cache, 2).encode(&rope, Compression::ZSTD).unwrap();
        assert_eq!(store.len_of_all(), 1 + 3);
    }
}

#[test]
fn a_file_of_middling_size_is_compressed_once_for_all_ropes() {
    for compression in QUICK {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let len = usize::try_from(compression.alone_from()).unwrap();
        let (shared, grouped) = (text(len, 1), text(len - 1, 2));
        let contents = [&shared, &grouped].map(|bytes| store.put(bytes).unwrap());
        let before = store.len_of_all();
        for header in [&b"tar header"[..], b"cpio header of another length"] {
            let mut rope = Rope::from(header.to_vec());
            for blob in contents {
                rope.push_blob(blob);
            }
            rope.push_bytes(header);
            Encoder::new(&store, &cache, 2).encode(&rope, compression).unwrap();
        }
        assert_eq!(store.len_of_all() - before, 1 + 2, "{compression}");
    }
}

#[test]
fn what_is_compressed_without_digests_is_the_same() {
    let store = MemoryStore::new();
    let rope = sample(&store, 2 << 20);
    for compression in [&QUICK[..], &[Compression::NONE]].concat() {
        let encoder = Encoder::new(&store, &NoCache, 2);
        let encoded = encoder.encode(&rope, compression).unwrap();
        assert_eq!(encoder.compress(&rope, compression).unwrap(), encoded.rope, "{compression}");
    }
}

#[test]
fn small_segments_are_in_the_rope_itself() {
    let store = TestStore::default();
    let rope = Rope::from(text(8000, 1));
    let encoded =
        Encoder::new(&store, &TestCache::of(&store), 1).encode(&rope, Compression::GZIP).unwrap();
    assert_eq!(store.len_of_all(), 0);
    assert_eq!(encoded.rope.extents().count(), 1);
}

#[test]
fn a_cache_that_names_other_contents_is_not_believed() {
    let lies: [fn(&mut Segment); 3] = [
        |segment| segment.raw_len += 1,
        |segment| segment.crc32 ^= 1,
        |segment| segment.blob.size = u64::MAX,
    ];
    let gzip = Compression::GZIP;
    for lie in lies {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let rope = sample(&store, 2 << 20);
        let encoder = Encoder::new(&store, &cache, 2);
        let first = encoder.encode(&rope, gzip).unwrap();
        cache.segments.lock().unwrap().values_mut().for_each(lie);
        assert_eq!(encoder.encode(&rope, gzip).unwrap(), first);
    }
}

#[test]
fn every_setting_has_its_own_key() {
    let key = |rope: &Rope, compression| segment::key(&rope.cursor().part(u64::MAX), compression);
    let part = Rope::from(b"bytes".to_vec());
    let mut keys: Vec<Digest> = ["gzip:6", "gzip:7", "zstd:6", "xz:6"]
        .iter()
        .map(|text| key(&part, text.parse().unwrap()))
        .collect();
    let blob = Blob::of(b"bytes");
    for (offset, len) in [(0, 4), (0, 5), (1, 4)] {
        let mut part = Rope::new();
        part.push_range(blob.digest, offset, len);
        keys.push(key(&part, Compression::GZIP));
        part.push_zeros(len);
        keys.push(key(&part, Compression::GZIP));
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn a_blob_that_cannot_be_read_is_an_error_that_says_where() {
    use std::error::Error as _;
    let store = TestStore::default();
    let mut rope = sample(&store, 3 << 20);
    let offset = rope.len();
    rope.push_blob(Blob { digest: Digest::of(b"nowhere"), size: 2 << 20 });
    sample(&store, 3 << 20).extents().for_each(|extent| rope.push_extent(extent));
    for threads in [1, 8] {
        let error =
            Encoder::new(&store, &NoCache, threads).encode(&rope, Compression::GZIP).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let expected = format!("compressing 2097152 bytes at offset {offset} as gzip:6");
        assert_eq!(error.to_string(), expected);
        assert!(error.source().is_some());
    }
}

#[test]
fn an_error_stops_the_work() {
    let store = TestStore::default();
    let mut rope = Rope::from(Blob { digest: Digest::of(b"nowhere"), size: 2 << 20 });
    for number in 0..20 {
        rope.push_blob(store.put(&text(1 << 20, number)).unwrap());
    }
    let before = store.puts.load(Ordering::Relaxed);
    Encoder::new(&store, &NoCache, 2).encode(&rope, Compression::GZIP).unwrap_err();
    let made = store.puts.load(Ordering::Relaxed) - before;
    assert!(made <= 4, "{made} segments were made after the error");
}

/// A store in which every read panics.
struct Panicking;

impl BlobSource for Panicking {
    fn open(&self, _: &Digest, _: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        panic!("no reads here")
    }
}

impl BlobStore for Panicking {
    fn put(&self, bytes: &[u8]) -> io::Result<Blob> {
        Ok(Blob::of(bytes))
    }
}

#[test]
#[should_panic(expected = "a scoped thread panicked")]
fn a_panic_in_a_worker_reaches_the_caller() {
    let rope = Rope::from(Blob { digest: Digest::of(b""), size: 20 << 20 });
    Encoder::new(&Panicking, &NoCache, 2).encode(&rope, Compression::GZIP).unwrap_err();
}

#[test]
fn rejects_a_level_that_the_codec_does_not_have() {
    let rows = [(Codec::None, 1), (Codec::Gzip, 0), (Codec::Gzip, 10), (Codec::Zstd, 20)];
    let store = MemoryStore::new();
    for (codec, level) in rows.into_iter().chain([(Codec::Zstd, 0), (Codec::Xz, 10)]) {
        let compression = Compression { codec, level };
        let error =
            Encoder::new(&store, &NoCache, 1).encode(&Rope::new(), compression).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{compression}");
    }
}

/// A change here changes every artifact: raise [`Codec::revision`], and say why in the commit.
#[test]
fn golden_digests_stay() {
    let rows = [
        (
            Compression::NONE,
            9 << 20,
            "6821724509b01cbb6f38e93f6f216c585b619c380f56d9999ba70dae890d6f37",
        ),
        (
            Compression::GZIP,
            9 << 20,
            "59700c389f8427b836a009511ffebc3af270baeefcaf69f813b392083778c19c",
        ),
        (
            Compression::ZSTD,
            9 << 20,
            "e36a8eab7953680327d17b261a35033419eee818dd89aa482455d6659e433217",
        ),
        (
            Compression { codec: Codec::Zstd, level: 19 },
            1 << 20,
            "44e41f104491e45b1434b287358aa897beba27140559702b331e43ea101421b9",
        ),
        (
            Compression::XZ,
            1 << 20,
            "ca54d8d775e2d5961c5dcc57dbc87aaabaea41bff94e6b92e2117dae083ffe19",
        ),
    ];
    let found = rows.map(|(compression, large, _)| {
        let store = MemoryStore::new();
        let rope = sample(&store, large);
        let encoded = Encoder::new(&store, &NoCache, 2).encode(&rope, compression).unwrap();
        (compression, encoded.blob.digest.hex())
    });
    let expected = rows.map(|(compression, _, digest)| (compression, digest.to_string()));
    assert_eq!(found, expected);
}

/// Offsets 1, 4 and 8 are what a frame starts with (RFC 8878, 3.1.1.5); a segment must not use
/// them, because other offsets stand there when it is not the first.
#[test]
fn a_zstd_segment_uses_no_repeat_offset_it_has_not_set() {
    for level in 1..=19 {
        for period in [1, 4, 8] {
            let pieces = [text(5000, 1), text(period, 2).repeat(3000 / period)];
            let mut frame = zstd::head(5000);
            for piece in &pieces {
                frame.extend(zstd_segment(piece, level));
            }
            frame.extend(zstd::TAIL);
            let raw = decode(Codec::Zstd, &frame).unwrap();
            assert!(raw == pieces.concat(), "level {level}, period {period}");
        }
    }
}

/// Pieces that repeat each other at many distances, so that compressors want repeat offsets.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..2000),
        (any::<u8>(), 1..200_000_usize).prop_map(|(byte, len)| vec![byte; len]),
        (1..100_000_usize, 0..4_u64).prop_map(|(len, seed)| text(len, seed)),
        (prop::collection::vec(any::<u8>(), 4..40), 1..9_usize, 1..2000_usize).prop_map(
            |(unit, step, count)| {
                let repeat = |n: usize| {
                    let mut unit = unit.clone();
                    let at = n * step % unit.len();
                    unit[at] = unit[at].wrapping_add(1);
                    unit
                };
                (0..count).flat_map(repeat).collect()
            }
        ),
    ];
    prop::collection::vec(piece, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn segments_joined_in_any_order_decode(pieces in pieces(), level in 1..=19_u8) {
        let longest = pieces.iter().map(Vec::len).max().unwrap_or(0) as u64;
        let mut zstd_frame = zstd::head(longest);
        let (mut member, mut trailer) = (gzip::HEAD.to_vec(), gzip::Trailer::default());
        let (mut stream, mut index) = (xz::head(), xz::Index::default());
        for piece in &pieces {
            let (len, crc32) = (piece.len() as u64, crc32fast::hash(piece));
            zstd_frame.extend(zstd_segment(piece, level));
            gzip::compress(piece, level.min(9), &mut member).unwrap();
            trailer.add(crc32, len);
            let block = xz::compress(piece, crc32, level.min(9)).unwrap();
            index.extend(xz::Record::of(&block, len, crc32));
            stream.extend(block);
        }
        zstd_frame.extend(zstd::TAIL);
        member.extend(trailer.finish());
        stream.extend(index.finish().unwrap());
        let raw = pieces.concat();
        prop_assert!(decode(Codec::Zstd, &zstd_frame).unwrap() == raw);
        prop_assert!(decode(Codec::Gzip, &member).unwrap() == raw);
        prop_assert!(decode(Codec::Xz, &stream).unwrap() == raw);
    }
}

#[test]
fn no_segment_is_longer_than_buffers_are() {
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Xz] {
        let (_, highest) = codec.levels();
        for level in 1..=highest {
            let longest = Compression { codec, level }.block_size();
            assert!(longest <= SEGMENT_MAX as u64, "{codec:?}:{level}");
        }
    }
}
