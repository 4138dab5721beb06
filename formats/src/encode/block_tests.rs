//! Laws of ropes that are compressed block by block, and their golden digests.

use std::io::{self, Read};
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::tests::{TestCache, TestStore, text};
use super::*;
use crate::blob::{BlobSource, MemoryStore};
use crate::digest::Hasher;

const BLOCK: usize = 64 << 10;

const CODECS: [BlockCodec; 3] = [BlockCodec::Deflate, BlockCodec::Zlib, BlockCodec::Zstd];

fn settings(codec: BlockCodec, plain: bool) -> BlockSettings {
    BlockSettings { block: BLOCK as u64, codec, level: codec.levels().0, plain }
}

/// Returns bytes that nothing compresses.
fn noise(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 32);
    while bytes.len() < len {
        bytes.extend(Digest::of(&bytes.len().to_le_bytes()).as_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Nine MiB of text, noise, zeros in a blob and holes, with an end within a block.
fn sample(store: &dyn BlobStore) -> Rope {
    let mut rope = Rope::from(b"start".to_vec());
    rope.push_blob(store.put(&text(300_000, 1)).unwrap());
    rope.align(BLOCK as u64);
    rope.push_blob(store.put(&noise(3 * BLOCK)).unwrap());
    rope.push_blob(store.put(&vec![0; 2 * BLOCK]).unwrap());
    rope.push_zeros(5 << 20);
    rope.push_blob(store.put(&text(4 << 20, 2)).unwrap());
    rope.push_zeros(70_000);
    rope.push_bytes(b"end");
    rope
}

/// Decompresses a block with what readers of the formats use.
fn decode(codec: BlockCodec, bytes: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    match codec {
        BlockCodec::Deflate => {
            flate2::read::DeflateDecoder::new(bytes).read_to_end(&mut block).unwrap();
        }
        BlockCodec::Zlib => {
            flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut block).unwrap();
        }
        // Refuses a frame that does not say how long it is.
        BlockCodec::Zstd => {
            let size = ::zstd::zstd_safe::get_frame_content_size(bytes).unwrap();
            assert_eq!(size, Some(BLOCK as u64));
            block = ::zstd::bulk::decompress(bytes, BLOCK).unwrap();
        }
    }
    block
}

/// Returns the bytes that blocks stand for, with those that are plain from the rope.
fn undo(rope: &Rope, codec: BlockCodec, blocks: &EncodedBlocks, store: &dyn BlobSource) -> Vec<u8> {
    let mut raw = Vec::new();
    let mut cursor = rope.cursor();
    let len = |count: u64| count * BLOCK as u64;
    for block in blocks {
        match block {
            EncodedBlock::Zeros(count) => {
                raw.resize(raw.len() + usize::try_from(len(count)).unwrap(), 0);
                cursor.skip(len(count));
            }
            EncodedBlock::Plain(count) => {
                raw.extend(cursor.take(len(count)).to_vec(store).unwrap());
                raw.resize(raw.len().next_multiple_of(BLOCK), 0);
            }
            EncodedBlock::Packed { digest, offset, len: packed } => {
                let mut part = Rope::new();
                part.push_range(digest, offset, packed.into());
                raw.extend(decode(codec, &part.to_vec(store).unwrap()));
                cursor.skip(len(1));
            }
        }
    }
    raw
}

#[test]
fn every_block_comes_back_and_the_last_is_filled_up() {
    for codec in CODECS {
        for plain in [true, false] {
            let store = TestStore { small_reads: true, ..TestStore::default() };
            let rope = sample(&store);
            let blocks =
                Encoder::new(&store, &NoCache, 2).encode_blocks(&rope, settings(codec, plain));
            let mut raw = rope.to_vec(&store).unwrap();
            raw.resize(raw.len().next_multiple_of(BLOCK), 0);
            assert!(undo(&rope, codec, &blocks.unwrap(), &store) == raw, "{codec:?} {plain}");
        }
    }
}

#[test]
fn zeros_are_zeros_and_what_does_not_shrink_stays_plain_if_it_may() {
    let store = MemoryStore::new();
    let rope = sample(&store);
    for (plain, expected) in [(true, vec![3]), (false, vec![])] {
        let encoder = Encoder::new(&store, &NoCache, 2);
        let blocks = encoder.encode_blocks(&rope, settings(BlockCodec::Deflate, plain)).unwrap();
        let zeros = blocks.iter().filter_map(|block| match block {
            EncodedBlock::Zeros(count) => Some(count),
            _ => None,
        });
        // Zeros of a blob and a hole are one item, though the hole goes on in another batch.
        assert_eq!(zeros.collect::<Vec<_>>(), [2 + 80, 1]);
        let plains = blocks.iter().filter_map(|block| match block {
            EncodedBlock::Plain(count) => Some(count),
            _ => None,
        });
        assert_eq!(plains.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn the_result_is_the_same_at_every_thread_count() {
    for codec in CODECS {
        let run = |threads| {
            let store = MemoryStore::new();
            let rope = sample(&store);
            let encoder = Encoder::new(&store, &NoCache, threads);
            encoder.encode_blocks(&rope, settings(codec, true)).unwrap()
        };
        let one = run(1);
        assert!([2, 3, 8].into_iter().all(|threads| run(threads) == one), "{codec:?}");
    }
}

/// QEMU inflates a cluster with a window of 4 KiB.
#[test]
fn deflate_refers_back_by_4_kib_at_most() {
    let unit = noise(5000);
    let mut rope = Rope::from(unit.repeat(13));
    rope.push_zeros((BLOCK - 13 * 5000) as u64);
    let store = MemoryStore::new();
    for level in 1..=9 {
        let len = |codec| {
            let settings = BlockSettings { level, ..settings(codec, false) };
            let encoder = Encoder::new(&store, &NoCache, 1);
            let blocks = encoder.encode_blocks(&rope, settings).unwrap();
            match blocks.iter().next() {
                Some(EncodedBlock::Packed { len, .. }) => len,
                other => panic!("{other:?}"),
            }
        };
        // All repetitions are 5000 bytes apart.
        assert!(len(BlockCodec::Deflate) > 13 * 5000, "level {level}");
        assert!(len(BlockCodec::Zlib) < 7000, "level {level}");
    }
}

#[test]
fn a_rope_of_holes_costs_nothing_and_dense_lists_are_small() {
    let store = TestStore::default();
    let mut rope = Rope::new();
    rope.push_zeros(1 << 50);
    rope.push_bytes(b"one block");
    rope.push_zeros((1 << 50) + 512);
    let encoder = Encoder::new(&store, &NoCache, 2);
    let blocks = encoder.encode_blocks(&rope, settings(BlockCodec::Zstd, true)).unwrap();
    let half = (1 << 50) / BLOCK as u64;
    let found: Vec<_> = blocks.iter().collect();
    assert_eq!(found.len(), 3);
    assert_eq!((found[0], found[2]), (EncodedBlock::Zeros(half), EncodedBlock::Zeros(half)));
    assert_eq!(store.puts.load(Ordering::Relaxed), 2, "one batch and its index");
}

#[test]
fn only_batches_that_changed_are_compressed_again() {
    let store = TestStore::default();
    let cache = TestCache::of(&store);
    let blobs = [3, 4, 5].map(|seed| store.put(&text(4 << 20, seed)).unwrap());
    let rope = |blobs: &[Blob]| {
        let mut rope = Rope::new();
        for blob in blobs {
            rope.push_blob(*blob);
        }
        rope
    };
    let run = |rope: &Rope| {
        let before = store.puts.load(Ordering::Relaxed);
        let encoder = Encoder::new(&store, &cache, 2);
        let blocks = encoder.encode_blocks(rope, settings(BlockCodec::Zstd, true)).unwrap();
        (blocks, store.puts.load(Ordering::Relaxed) - before)
    };
    let (first, made) = run(&rope(&blobs));
    assert_eq!(made, 6);
    assert_eq!(run(&rope(&blobs)), (first, 0));
    assert_eq!(run(&rope(&[blobs[0], blobs[2]])).1, 0, "a batch may be anywhere in the rope");
    let changed = store.put(&text(4 << 20, 6)).unwrap();
    assert_eq!(run(&rope(&[blobs[0], changed, blobs[2]])).1, 2);
}

#[test]
fn what_is_no_blob_changes_its_own_blocks_only() {
    let store = TestStore::default();
    let cache = TestCache::of(&store);
    let blobs = [3, 4, 5].map(|seed| store.put(&text(2 << 20, seed)).unwrap());
    let run = |own: u8| {
        let mut rope = Rope::new();
        for blob in blobs {
            rope.push_bytes(&[own; 100]);
            rope.push_zeros(3996);
            rope.push_blob(blob);
            rope.align(BLOCK as u64);
        }
        let before = store.puts.load(Ordering::Relaxed);
        let encoder = Encoder::new(&store, &cache, 2);
        let blocks = encoder.encode_blocks(&rope, settings(BlockCodec::Zstd, true)).unwrap();
        let mut raw = rope.to_vec(&store).unwrap();
        raw.resize(raw.len().next_multiple_of(BLOCK), 0);
        assert!(undo(&rope, BlockCodec::Zstd, &blocks, &store) == raw);
        store.puts.load(Ordering::Relaxed) - before
    };
    assert_eq!(run(1), 12, "six batches with their indices");
    assert_eq!(run(2), 6, "the three blocks with bytes that are no blob's");
    assert_eq!(run(2), 0);
}

#[test]
fn keys_cover_all_settings() {
    let store = TestStore::default();
    let cache = TestCache::of(&store);
    let rope = Rope::from(text(BLOCK, 1));
    let base = settings(BlockCodec::Deflate, true);
    let rows = [
        base,
        BlockSettings { plain: false, ..base },
        BlockSettings { level: 1, ..base },
        BlockSettings { block: 512, ..base },
        BlockSettings { codec: BlockCodec::Zlib, ..base },
    ];
    for (count, settings) in (1..).zip(rows) {
        Encoder::new(&store, &cache, 1).encode_blocks(&rope, settings).unwrap();
        assert_eq!(cache.segments.lock().unwrap().len(), 2 * count, "{settings:?}");
    }
}

#[test]
fn damaged_batches_are_made_again() {
    let run = |damage: &dyn Fn(&TestStore, Digest)| {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let rope = sample(&store);
        let mut raw = rope.to_vec(&store).unwrap();
        raw.resize(raw.len().next_multiple_of(BLOCK), 0);
        let settings = settings(BlockCodec::Deflate, true);
        let blocks = Encoder::new(&store, &cache, 1).encode_blocks(&rope, settings).unwrap();
        let kept: Vec<_> = cache.segments.lock().unwrap().values().map(|kept| kept.blob).collect();
        for blob in kept {
            damage(&store, blob.digest);
            // Damage to packed blocks is seen by those who read them, who then let all be checked.
            let encoder = Encoder::new(&store, &cache, 1);
            assert_eq!(encoder.encode_blocks(&rope, settings).unwrap(), blocks);
            let encoder = Encoder::new(&store, &cache, 1).checking();
            assert_eq!(encoder.encode_blocks(&rope, settings).unwrap(), blocks);
            assert!(undo(&rope, BlockCodec::Deflate, &blocks, &store) == raw);
        }
    };
    run(&|store, digest| store.damage(&digest, |bytes| bytes[0] ^= 1));
    run(&|store, digest| store.damage(&digest, |bytes| bytes.truncate(3)));
    run(&|store, digest| store.damage(&digest, Vec::clear));
    run(&|store, digest| store.remove(&digest));
}

#[test]
fn of_kept_batches_only_the_lengths_are_read() {
    let store = TestStore::default();
    let cache = TestCache::of(&store);
    let rope = sample(&store);
    let settings = settings(BlockCodec::Zstd, true);
    let blocks = Encoder::new(&store, &cache, 2).encode_blocks(&rope, settings).unwrap();
    store.read.store(0, Ordering::Relaxed);
    let encoder = Encoder::new(&store, &cache, 2);
    assert_eq!(encoder.encode_blocks(&rope, settings).unwrap(), blocks);
    let Work { raw_read, segments_compressed, segments_reused, .. } = encoder.work();
    assert_eq!((raw_read, segments_compressed, segments_reused), (0, 0, 4));
    let lens = rope.len().div_ceil(BLOCK as u64) * 4;
    assert!(store.read.load(Ordering::Relaxed) as u64 <= lens);
}

#[test]
fn equal_batches_are_compressed_once() {
    let store = TestStore::default();
    let blob = store.put(&text(4 << 20, 3)).unwrap();
    let mut rope = Rope::new();
    for _ in 0..8 {
        rope.push_blob(blob);
    }
    for threads in [1, 4] {
        let encoder = Encoder::new(&store, &NoCache, threads);
        let settings = settings(BlockCodec::Zstd, true);
        let blocks = encoder.encode_blocks(&rope, settings).unwrap();
        let Work { segments_compressed, segments_reused, .. } = encoder.work();
        assert_eq!((segments_compressed, segments_reused), (1, 7));
        assert!(undo(&rope, BlockCodec::Zstd, &blocks, &store) == rope.to_vec(&store).unwrap());
    }
}

/// A cache is as hostile as any file.
#[test]
fn an_index_that_does_not_fit_its_batch_is_not_used() {
    let store = TestStore::default();
    let cache = TestCache::of(&store);
    let rope = sample(&store);
    let settings = settings(BlockCodec::Zstd, true);
    let encoder = Encoder::new(&store, &cache, 1);
    let blocks = encoder.encode_blocks(&rope, settings).unwrap();
    let keys: Vec<_> = cache.segments.lock().unwrap().keys().copied().collect();
    let lens = [&[0xff; 4 * 64][..], &[0; 4 * 64], &[0xfe; 4 * 64], &[1; 3]];
    for key in keys {
        for bytes in lens {
            let kept = cache.segments.lock().unwrap()[&key];
            let blob = store.put(bytes).unwrap();
            for raw_len in [kept.raw_len, 0, u64::MAX / 4] {
                cache.put(&key, &Segment { blob, raw_len, ..kept }).unwrap();
                assert_eq!(encoder.encode_blocks(&rope, settings).unwrap(), blocks);
            }
        }
    }
}

#[test]
fn refuses_settings_and_ropes_that_there_are_not() {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let base = settings(BlockCodec::Deflate, true);
    let rows = [
        BlockSettings { block: 0, ..base },
        BlockSettings { block: 256, ..base },
        BlockSettings { block: 4 << 20, ..base },
        BlockSettings { block: 65_537, ..base },
        BlockSettings { level: 0, ..base },
        BlockSettings { level: 10, ..base },
        BlockSettings { level: 20, ..settings(BlockCodec::Zstd, true) },
    ];
    for settings in rows {
        let error = encoder.encode_blocks(&Rope::new(), settings).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{settings:?}");
    }
    let mut missing = Rope::new();
    missing.push_zeros(5 << 20);
    missing.push_range(Digest::of(b"nowhere"), 0, 100);
    let error = encoder.encode_blocks(&missing, base).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(error.to_string(), "compressing 100 bytes at offset 5242880 as deflate:6");
}

/// A change of these digests is a change of bytes: it raises the codec's revision.
#[test]
fn golden_digests() {
    let rows = [
        (
            BlockCodec::Deflate,
            1,
            "8fa4ee3258335d78e3401c76422dce0082e15343cb77132a140cdc4cc6863587",
        ),
        (
            BlockCodec::Deflate,
            6,
            "4a579e1190ef4642d7a4496dcf2b5013116df9ef585be336e0e7cad560f97a4c",
        ),
        (BlockCodec::Zlib, 6, "172de689c296f90af80d6db75ca4f0cea033f4cf0c5b4f9f9b7d7d4fedf361e3"),
        (BlockCodec::Zstd, 3, "dabc1b8309a99431f0d99c80b2f198fee7981f7b63993eac674682b399a81253"),
        (BlockCodec::Zstd, 19, "a5bc8f898c1c9c221c74d4dd55ecf53383c390d26dc9af2e667d2a5048b4395e"),
    ];
    let found = rows.map(|(codec, level, _)| {
        let store = MemoryStore::new();
        let rope = sample(&store);
        let settings = BlockSettings { level, ..settings(codec, true) };
        let blocks = Encoder::new(&store, &NoCache, 2).encode_blocks(&rope, settings).unwrap();
        let mut hasher = Hasher::new();
        for block in &blocks {
            match block {
                // Where a packed block is kept is no byte of an output.
                EncodedBlock::Packed { digest, offset, len } => {
                    let mut packed = Rope::new();
                    packed.push_range(digest, offset, len.into());
                    hasher.update(&packed.to_vec(&store).unwrap());
                }
                other => hasher.update(format!("{other:?}").as_bytes()),
            }
        }
        (codec, level, hasher.digest().hex())
    });
    let expected = rows.map(|(codec, level, digest)| (codec, level, digest.to_string()));
    assert_eq!(found, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_rope_comes_back(
        extents in prop::collection::vec((0..4_u8, 0..5_u64, 1..6_000_000_usize), 0..6),
        codec in prop::sample::select(&CODECS[..]),
        threads in 1..4_usize,
    ) {
        let store = MemoryStore::new();
        let mut rope = Rope::new();
        for (kind, seed, len) in extents {
            match kind {
                0 => rope.push_zeros(len as u64),
                1 => rope.push_bytes(&text(len / 50, seed)),
                2 => rope.push_blob(store.put(&noise(len / 10)).unwrap()),
                _ => rope.push_blob(store.put(&text(len / 4, seed)).unwrap()),
            }
        }
        let settings = BlockSettings { level: 1, ..settings(codec, true) };
        let blocks = Encoder::new(&store, &NoCache, threads).encode_blocks(&rope, settings);
        let mut raw = rope.to_vec(&store).unwrap();
        raw.resize(raw.len().next_multiple_of(BLOCK), 0);
        prop_assert!(undo(&rope, codec, &blocks.unwrap(), &store) == raw);
    }
}
