//! Laws of encoding what was encoded before: it costs what changed, and never a byte of the result.

use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::checkpoint::Chain;
use super::cut::Cuts;
use super::segment::Wanted;
use super::tests::{TestCache, TestStore, text};
use super::*;
use crate::blob::{BlobSource, MemoryStore};
use crate::digest::HasherState;

const MIB: usize = 1 << 20;

/// xz is slow; its first level runs the same code.
const QUICK: [Compression; 3] =
    [Compression::GZIP, Compression::ZSTD, Compression { codec: Codec::Xz, level: 1 }];

/// Returns an encoder with a checkpoint every MiB.
fn encoder<'a>(store: &'a TestStore, cache: &'a dyn SegmentCache, threads: usize) -> Encoder<'a> {
    Encoder { checkpoint_every: MIB as u64, ..Encoder::new(store, cache, threads) }
}

/// Returns a rope of headers and files; a file is the seed and the length of its text.
fn rope(store: &dyn BlobStore, files: &[(u64, usize)]) -> Rope {
    let mut rope = Rope::new();
    for (seed, len) in files {
        rope.push_bytes(format!("header of {seed} with {len} bytes").as_bytes());
        rope.push_blob(store.put(&text(*len, *seed)).unwrap());
        rope.align(512);
    }
    rope
}

/// Files of 1 MiB and more, with small ones between.
fn files() -> Vec<(u64, usize)> {
    (0..6).flat_map(|seed| [(seed, MIB + 3), (seed + 10, 700)]).collect()
}

/// Returns what an encoder makes that knows of nothing.
fn fresh(store: &TestStore, rope: &Rope, compression: Compression) -> Encoded {
    Encoder::new(store, &NoCache, 1).encode(rope, compression).unwrap()
}

/// Returns the keys of a rope's segments, and of its checkpoints in order.
fn chain(rope: &Rope, compression: Compression) -> Chain<'_> {
    let cuts = Cuts::new(rope, compression.block_size(), compression.alone_from());
    Chain::new(cuts, compression, &join::head(compression, rope.len()), MIB as u64)
}

#[test]
fn what_did_not_change_is_not_read() {
    for compression in QUICK {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let rope = rope(&store, &files());
        let first = encoder(&store, &cache, 2).encode(&rope, compression).unwrap();
        store.read.store(0, Ordering::Relaxed);

        let again = encoder(&store, &cache, 2);
        assert_eq!(again.encode(&rope, compression).unwrap(), first);
        let Work { hashed, compressed_in, segments_reused, .. } = again.work();
        assert_eq!(hashed, 0, "{compression}");
        assert!(segments_reused >= 6 && compressed_in < 64 << 10, "{compression}");

        let again = encoder(&store, &cache, 2);
        assert_eq!(again.compress(&rope, compression).unwrap(), first.rope);
        assert!(again.work().compressed_in < 64 << 10, "{compression}");
        // Small segments, and of xz the headers of blocks.
        let read = store.read.load(Ordering::Relaxed);
        assert!(read < 64 << 10, "{compression}: {read}");
    }
}

#[test]
fn a_change_costs_what_follows_it_in_hashes_and_itself_in_compression() {
    for compression in QUICK {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let mut files = files();
        encoder(&store, &cache, 2).encode(&rope(&store, &files), compression).unwrap();
        files[8] = (99, MIB + 3);
        let changed = rope(&store, &files);
        let warm = encoder(&store, &cache, 2);
        assert_eq!(
            warm.encode(&changed, compression).unwrap(),
            fresh(&store, &changed, compression)
        );
        let Work { raw_read, compressed_in, .. } = warm.work();
        assert!(compressed_in < 3 * MIB as u64 / 2, "{compression}: {compressed_in}");
        assert!(raw_read < 4 * MIB as u64, "{compression}: {raw_read}");
    }
}

#[test]
fn many_small_files_that_did_not_change_are_not_opened_for_digests() {
    for compression in [Compression::GZIP, Compression::ZSTD] {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        // Three segments.
        let mut files: Vec<_> = (0..2600).map(|seed| (seed, 4000)).collect();
        encoder(&store, &cache, 2).encode(&rope(&store, &files), compression).unwrap();
        files[3] = (9999, 4000);
        let changed = rope(&store, &files);
        let warm = encoder(&store, &cache, 2);
        let expected = fresh(&store, &changed, compression);
        assert_eq!(warm.encode(&changed, compression).unwrap(), expected);
        let Work { raw_read, compressed_in, hashed, .. } = warm.work();
        assert_eq!(raw_read, compressed_in, "{compression}");
        assert!(compressed_in < 5 * MIB as u64 && hashed > 10 * MIB as u64, "{compression}");
    }
}

#[test]
fn a_kept_segment_that_is_damaged_is_made_again() {
    type Damage = fn(&TestStore, &Digest);
    let damages: [(&str, Damage); 4] = [
        ("flipped", |store, blob| store.damage(blob, |bytes| bytes[20_000] ^= 1)),
        ("cut short", |store, blob| store.damage(blob, |bytes| bytes.truncate(20_000))),
        ("grown", |store, blob| store.damage(blob, |bytes| bytes.push(0))),
        ("missing", TestStore::remove),
    ];
    for compression in QUICK {
        for (name, damage) in damages {
            for has_checkpoints in [true, false] {
                let store = TestStore::default();
                let cache = TestCache::of(&store);
                let rope = rope(&store, &files()[..4]);
                let first = encoder(&store, &cache, 2).encode(&rope, compression).unwrap();
                let kept = *cache.segments.lock().unwrap().values().next().unwrap();
                if !has_checkpoints {
                    cache.checkpoints.lock().unwrap().clear();
                }
                damage(&store, &kept.blob.digest);
                // What is not read cannot be seen to be damaged; whoever reads it says so.
                let again = encoder(&store, &cache, 2);
                assert_eq!(again.encode(&rope, compression).unwrap(), first);
                let is_unseen = has_checkpoints && name == "flipped";
                let case = format!("{compression} {name} {has_checkpoints}");
                assert_eq!(rope_is_right(&store, &first), !is_unseen, "{case}");
                // Then it is removed, or all that is kept is checked.
                let checking = encoder(&store, &cache, 2).checking();
                assert_eq!(checking.encode(&rope, compression).unwrap(), first, "{case}");
                assert!(rope_is_right(&store, &first), "{case}");
                damage(&store, &kept.blob.digest);
                let checking = encoder(&store, &cache, 2).checking();
                assert_eq!(checking.compress(&rope, compression).unwrap(), first.rope, "{case}");
                assert!(rope_is_right(&store, &first), "{case}");
            }
        }
    }
}

fn rope_is_right(store: &TestStore, encoded: &Encoded) -> bool {
    encoded.rope.blob(store).is_ok_and(|blob| blob == encoded.blob)
}

#[test]
fn a_record_in_which_a_bit_changed_is_none() {
    let (raw, compressed) = (hashed(1000), hashed(77));
    let (chain, other) = (Digest::of(b"chain"), Digest::of(b"other"));
    let segments = Some(Digest::of(b"segments"));
    let checkpoint = Checkpoint { raw, compressed, segments };
    let record = checkpoint.print(&chain);
    assert_eq!(Checkpoint::parse(&record, &chain), Some(checkpoint));
    assert_eq!(Checkpoint::parse(&record, &other), None);
    for bit in 0..record.len() * 8 {
        let mut record = record.clone();
        record[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Checkpoint::parse(&record, &chain), None, "bit {bit}");
    }
    for len in 0..record.len() {
        assert_eq!(Checkpoint::parse(&record[..len], &chain), None, "cut at {len}");
    }
    assert_eq!(Checkpoint::parse(&[&record[..], &[0]].concat(), &chain), None);
}

fn hashed(len: usize) -> HasherState {
    let mut hasher = crate::digest::Hasher::new();
    hasher.update(&text(len, 1));
    hasher.checkpoint()
}

#[test]
fn checkpoints_that_are_no_good_are_not_used() {
    type Damage = fn(&[Digest], &mut std::collections::BTreeMap<Digest, Vec<u8>>);
    let damages: [(&str, Damage, bool); 5] = [
        ("all there", |_, _| {}, true),
        // An interrupt between the segments and the checkpoints.
        ("none there", |_, kept| kept.clear(), false),
        ("a bit flipped", |_, kept| kept.values_mut().for_each(|record| record[50] ^= 4), false),
        ("torn", |_, kept| kept.values_mut().for_each(|record| record.truncate(100)), false),
        (
            "of another chain",
            |chains, kept| {
                let first = kept[&chains[0]].clone();
                for record in kept.values_mut() {
                    record.clone_from(&first);
                }
                kept.remove(&chains[0]);
            },
            false,
        ),
    ];
    for compression in QUICK {
        for (name, damage, is_used) in damages {
            let store = TestStore::default();
            let cache = TestCache::of(&store);
            let rope = rope(&store, &files());
            let first = encoder(&store, &cache, 2).encode(&rope, compression).unwrap();
            let chains: Vec<_> =
                chain(&rope, compression).marks.iter().map(|mark| mark.chain).collect();
            damage(&chains, &mut cache.checkpoints.lock().unwrap());
            let again = encoder(&store, &cache, 2);
            assert_eq!(again.encode(&rope, compression).unwrap(), first, "{compression} {name}");
            assert_eq!(again.work().hashed == 0, is_used, "{compression} {name}");
            let healed = encoder(&store, &cache, 2);
            assert_eq!(healed.encode(&rope, compression).unwrap(), first, "{compression} {name}");
            assert_eq!(healed.work().hashed, 0, "{compression} {name}");
        }
    }
}

#[test]
fn an_earlier_checkpoint_is_used_if_later_ones_are_gone() {
    let store = TestStore::default();
    let cache = TestCache::of(&store);
    let rope = rope(&store, &files());
    let first = encoder(&store, &cache, 2).encode(&rope, Compression::GZIP).unwrap();
    let marks = chain(&rope, Compression::GZIP).marks;
    assert!(marks.len() >= 5);
    cache.checkpoints.lock().unwrap().retain(|chain, _| *chain == marks[2].chain);
    let again = encoder(&store, &cache, 2);
    assert_eq!(again.encode(&rope, Compression::GZIP).unwrap(), first);
    let behind = rope.len() - marks[2].raw_len;
    let hashed = again.work().hashed;
    assert!((behind..behind * 2).contains(&hashed), "{hashed} of {behind}");
}

#[test]
fn the_identity_of_what_is_stored_goes_on_from_a_checkpoint() {
    let store = TestStore::default();
    let cache = TestCache::of(&store);
    let mut files = files();
    let rope = |files: &[(u64, usize)]| rope(&store, files);
    let whole = rope(&files);
    let first = encoder(&store, &cache, 1).encode(&whole, Compression::NONE).unwrap();
    assert_eq!(first.raw, whole.blob(&store).unwrap());
    let again = encoder(&store, &cache, 1);
    assert_eq!(again.encode(&whole, Compression::NONE).unwrap(), first);
    assert_eq!(again.work().hashed, 0);
    files[8] = (99, MIB + 3);
    let changed = rope(&files);
    let warm = encoder(&store, &cache, 1);
    let encoded = warm.encode(&changed, Compression::NONE).unwrap();
    assert_eq!(encoded.blob, changed.blob(&store).unwrap());
    assert!(warm.work().hashed < 4 * MIB as u64);
}

/// Sealed and of the right chain, but by an encoder that makes other bytes.
#[test]
fn a_checkpoint_that_the_segments_do_not_fit_is_not_used() {
    for compression in QUICK {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let rope = rope(&store, &files()[..6]);
        let first = encoder(&store, &cache, 2).encode(&rope, compression).unwrap();
        for mark in chain(&rope, compression).marks {
            let raw = hashed(usize::try_from(mark.raw_len).unwrap());
            let kept = cache.checkpoint(&mark.chain).unwrap();
            let kept = Checkpoint::parse(&kept, &mark.chain).unwrap();
            let record = Checkpoint { raw, compressed: hashed(500), ..kept }.print(&mark.chain);
            cache.put_checkpoint(&mark.chain, &record).unwrap();
        }
        let again = encoder(&store, &cache, 2).encode(&rope, compression).unwrap();
        assert_eq!(again, first, "{compression}");
    }
}

/// A segment that is as good as the one which was hashed, by its record, and as long, but other bytes: a file of an
/// image must never have another digest than its manifest says.
#[test]
fn a_checkpoint_of_other_segments_than_those_that_are_kept_is_not_used() {
    for compression in QUICK {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let rope = rope(&store, &files()[..6]);
        encoder(&store, &cache, 2).encode(&rope, compression).unwrap();
        let (key, kept) =
            cache.segments.lock().unwrap().iter().next().map(|(k, v)| (*k, *v)).unwrap();
        let mut bytes = Vec::new();
        store.open(&kept.blob.digest, 0).unwrap().read_to_end(&mut bytes).unwrap();
        bytes[20_000] ^= 1;
        let other = store.put(&bytes).unwrap();
        cache.put(&key, &Segment::new(&key, (other, &bytes), kept.raw_len, kept.crc32)).unwrap();
        let again = encoder(&store, &cache, 2).encode(&rope, compression).unwrap();
        assert!(rope_is_right(&store, &again), "{compression}");
    }
}

#[test]
fn a_checkpoint_from_before_it_said_which_segments_is_read_and_not_used() {
    let store = TestStore::default();
    let cache = TestCache::of(&store);
    let rope = rope(&store, &files()[..6]);
    let first = encoder(&store, &cache, 2).encode(&rope, Compression::ZSTD).unwrap();
    for (chain, record) in cache.checkpoints.lock().unwrap().iter_mut() {
        let checkpoint = Checkpoint::parse(record, chain).unwrap();
        *record = Checkpoint { segments: None, ..checkpoint }.print(chain);
        assert!(Checkpoint::parse(record, chain).is_some());
    }
    let again = encoder(&store, &cache, 2);
    assert_eq!(again.encode(&rope, Compression::ZSTD).unwrap(), first);
    assert!(again.work().hashed > rope.len());
}

#[test]
fn a_record_from_before_there_were_seals_is_good_if_nothing_in_it_is_believed() {
    for compression in QUICK {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let rope = rope(&store, &files()[..2]);
        let first = encoder(&store, &cache, 1).compress(&rope, compression).unwrap();
        for segment in cache.segments.lock().unwrap().values_mut() {
            segment.seal = None;
        }
        let again = encoder(&store, &cache, 1);
        assert_eq!(again.compress(&rope, compression).unwrap(), first);
        let is_good = compression.codec != Codec::Gzip;
        assert_eq!(again.work().compressed_in < MIB as u64, is_good, "{compression}");
    }
}

#[test]
fn the_chain_covers_settings_head_and_segments() {
    let store = MemoryStore::new();
    let files = files();
    let end = |rope: &Rope, text: &str| {
        let marks = chain(rope, text.parse().unwrap()).marks;
        (marks[0].chain, marks[marks.len() - 1].chain)
    };
    let whole = rope(&store, &files);
    let mut swapped = files.clone();
    swapped.swap(0, 2);
    let swapped = rope(&store, &swapped);
    let mut chains = vec![
        end(&whole, "gzip:6").0,
        end(&whole, "gzip:6").1,
        end(&whole, "gzip:7").0,
        end(&whole, "zstd:6").0,
        end(&whole, "xz:6").0,
        end(&swapped, "gzip:6").0,
        end(&swapped, "gzip:6").1,
    ];
    // The same first segments with another head: a shorter payload has a smaller window.
    let short = rope(&store, &files[..2]);
    let long = rope(&store, &files[..6]);
    chains.extend([end(&short, "zstd:3").0, end(&long, "zstd:3").0]);
    let count = chains.len();
    chains.sort();
    chains.dedup();
    assert_eq!(chains.len(), count);
}

#[test]
fn equal_segments_on_their_way_are_compressed_once() {
    for compression in QUICK {
        for threads in [1, 4] {
            let store = TestStore::default();
            let cache = TestCache::of(&store);
            let blob = store.put(&text(2 * MIB, 1)).unwrap();
            let before = store.puts.load(Ordering::Relaxed);
            let mut rope = Rope::new();
            for _ in 0..8 {
                rope.push_blob(blob);
            }
            for wants_digests in [true, false] {
                cache.segments.lock().unwrap().clear();
                cache.checkpoints.lock().unwrap().clear();
                let encoder = encoder(&store, &cache, threads);
                if wants_digests {
                    let encoded = encoder.encode(&rope, compression).unwrap();
                    assert_eq!(encoded, fresh(&store, &rope, compression));
                } else {
                    encoder.compress(&rope, compression).unwrap();
                }
                let Work { segments_compressed, segments_reused, .. } = encoder.work();
                assert_eq!((segments_compressed, segments_reused), (1, 7), "{compression}");
            }
            assert!(store.puts.load(Ordering::Relaxed) > before);
        }
    }
}

/// Formats that frame the same files in other headers are described at the same time.
#[test]
fn what_several_threads_need_at_the_same_time_is_compressed_once() {
    for compression in QUICK {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let files: Vec<_> = (0..6).map(|seed| (seed, 2 * MIB)).collect();
        let ropes = ["deb", "rpm", "oci"].map(|format| {
            let mut framed = Rope::from(format.as_bytes().repeat(100));
            framed.push_rope(&rope(&store, &files));
            framed
        });
        let shared = encoder(&store, &cache, 2);
        let made = std::thread::scope(|scope| {
            let running = ropes
                .each_ref()
                .map(|rope| scope.spawn(|| shared.encode(rope, compression).unwrap()));
            running.map(|thread| thread.join().unwrap())
        });
        for (rope, made) in ropes.iter().zip(made) {
            assert_eq!(made, fresh(&store, rope, compression));
        }
        let Work { compressed_in, .. } = shared.work();
        let once = 12 * MIB as u64;
        assert!(
            (once..once + 64 * 1024).contains(&compressed_in),
            "{compression}: {compressed_in}"
        );
    }
}

fn copy(store: &TestStore) -> TestStore {
    let blobs = store.blobs.lock().unwrap().clone();
    TestStore { blobs: blobs.into(), ..TestStore::default() }
}

/// What is done to a list of files.
#[derive(Debug, Clone)]
enum Change {
    Replace(usize, (u64, usize)),
    Insert(usize, (u64, usize)),
    Remove(usize),
}

fn file() -> impl Strategy<Value = (u64, usize)> {
    let len = prop_oneof![0..2000_usize, 0..300_000_usize, MIB..MIB * 2];
    (0..6_u64, len)
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), file()).prop_map(|(at, file)| Change::Replace(at, file)),
        (any::<usize>(), file()).prop_map(|(at, file)| Change::Insert(at, file)),
        any::<usize>().prop_map(Change::Remove),
    ]
}

fn apply(files: &mut Vec<(u64, usize)>, change: &Change) {
    match *change {
        Change::Insert(at, file) => files.insert(at % (files.len() + 1), file),
        Change::Replace(at, file) if !files.is_empty() => {
            let at = at % files.len();
            files[at] = file;
        }
        Change::Remove(at) if !files.is_empty() => {
            files.remove(at % files.len());
        }
        Change::Replace(..) | Change::Remove(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_kept_never_changes_a_byte(
        mut files in prop::collection::vec(file(), 0..7),
        changes in prop::collection::vec(change(), 1..4),
        compression in prop::sample::select(&QUICK[..]),
        threads in 1..=4_usize,
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        encoder(&store, &cache, threads).encode(&rope(&store, &files), compression).unwrap();
        for change in changes {
            apply(&mut files, &change);
            let rope = rope(&store, &files);
            for index in &lost {
                let kept: Vec<_> =
                    cache.segments.lock().unwrap().values().map(|kept| kept.blob.digest).collect();
                if !kept.is_empty() {
                    store.blobs.lock().unwrap().remove(index.get(&kept));
                }
            }
            let expected = fresh(&copy(&store), &rope, compression);
            let warm = encoder(&store, &cache, threads);
            prop_assert_eq!(&warm.encode(&rope, compression).unwrap(), &expected);
            prop_assert_eq!(&warm.compress(&rope, compression).unwrap(), &expected.rope);
            prop_assert_eq!(expected.rope.blob(&store).unwrap(), expected.blob);
        }
    }
}

#[test]
fn a_segment_that_somebody_holds_is_not_read_again() {
    for compression in QUICK {
        let store = TestStore::default();
        let cache = TestCache::of(&store);
        let rope = rope(&store, &[(1, MIB)]);
        let encoder = encoder(&store, &cache, 1);
        let payload = encoder.payload(&rope, compression);
        let chain = chain(&rope, compression);
        let (key, part) = chain.segments().max_by_key(|(_, part)| part.len()).unwrap();
        let pack = |wanted| payload.packer.pack(&part, &key, wanted).unwrap();
        let described = pack(Wanted::Description);
        let whole = pack(Wanted::Bytes);
        assert!(!Arc::ptr_eq(&described, &whole), "bytes are not there if nobody wanted them");
        store.read.store(0, Ordering::Relaxed);
        assert!(Arc::ptr_eq(&whole, &pack(Wanted::Bytes)));
        assert!(Arc::ptr_eq(&whole, &pack(Wanted::Description)));
        assert_eq!(store.read.load(Ordering::Relaxed), 0, "{compression}");
        let raw = whole.raw().to_vec();
        drop(whole);
        assert!(pack(Wanted::Bytes).raw() == raw && raw.len() as u64 == part.len());
        assert!(store.read.load(Ordering::Relaxed) > 0, "{compression}");
    }
}
