//! What a seal costs beside bare ring, on the same bytes.
//!
//! `ring` is AES-256-GCM alone, in a buffer that is there already; `ring, fresh buffer` makes what
//! it seals or opens a value of its own, as every frame is one. `keyring` is ours, on bytes that do
//! not compress, so that it shows the seal and nothing else. The group `JSON` is what a frame costs
//! with compression, beside zstd and ring without anything around them.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark whose setting cannot be built has failed"
)]

use std::hint::black_box;

use bytes::Bytes;
use cache_core::{Purpose, Sealer};
use cache_crypto::{Keyring, Secret};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zstd::bulk::{Compressor, Decompressor};

const SIZES: [usize; 4] = [256, 4 << 10, 64 << 10, 1 << 20];
const TAG_LEN: usize = 16;
/// As long as what the envelope binds.
const BOUND: [u8; 30] = [7; 30];

criterion_group!(benches, seal, open, json);
criterion_main!(benches);

fn seal(criterion: &mut Criterion) {
    let (ring, keyring) = (Ring::new(), keyring());
    let mut group = criterion.benchmark_group("seal");
    for size in SIZES {
        let plaintext = noise(size);
        let mut buffer = plaintext.clone();
        measure(&mut group, "ring", size, || {
            ring.seal(&mut buffer);
        });
        measure(&mut group, "ring, fresh buffer", size, || {
            ring.seal_fresh(&plaintext)
        });
        measure(&mut group, "keyring", size, || {
            keyring.seal(Purpose::Broadcast, &plaintext)
        });
    }
    group.finish();
}

fn open(criterion: &mut Criterion) {
    let (ring, keyring) = (Ring::new(), keyring());
    let mut group = criterion.benchmark_group("open");
    for size in SIZES {
        let plaintext = noise(size);
        let bare = ring.seal_fresh(&plaintext);
        let mut buffer = bare.clone();
        measure(&mut group, "ring", size, || {
            // It opens where it lies, so each time it has to lie there again.
            buffer.copy_from_slice(&bare);
            ring.open(&mut buffer).len()
        });
        measure(&mut group, "ring, fresh buffer", size, || {
            let mut fresh = bare.clone();
            ring.open(&mut fresh);
            fresh
        });
        let sealed = keyring.seal(Purpose::Broadcast, &plaintext).unwrap();
        measure(&mut group, "keyring", size, || {
            // It is opened where it lies, too.
            keyring.open(Purpose::Broadcast, Bytes::copy_from_slice(&sealed))
        });
    }
    group.finish();
}

fn json(criterion: &mut Criterion) {
    let (ring, keyring) = (Ring::new(), keyring());
    let mut compressor = Compressor::new(3).unwrap();
    let mut decompressor = Decompressor::new().unwrap();
    let mut group = criterion.benchmark_group("JSON");
    for size in SIZES {
        let plaintext = repositories(size);
        measure(&mut group, "seal, zstd and ring", size, || {
            let mut packed = compressor.compress(&plaintext).unwrap();
            ring.seal(&mut packed);
            packed
        });
        measure(&mut group, "seal, keyring", size, || {
            keyring.seal(Purpose::Broadcast, &plaintext)
        });
        let bare = ring.seal_fresh(&compressor.compress(&plaintext).unwrap());
        measure(&mut group, "open, zstd and ring", size, || {
            let mut fresh = bare.clone();
            decompressor.decompress(ring.open(&mut fresh), size)
        });
        let sealed = keyring.seal(Purpose::Broadcast, &plaintext).unwrap();
        measure(&mut group, "open, keyring", size, || {
            // It is opened where it lies, too.
            keyring.open(Purpose::Broadcast, Bytes::copy_from_slice(&sealed))
        });
    }
    group.finish();
}

fn measure<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    what: &str,
    size: usize,
    mut work: impl FnMut() -> T,
) {
    group.throughput(Throughput::Bytes(size as u64));
    group.bench_function(BenchmarkId::new(what, size), |bencher| {
        bencher.iter(|| black_box(work()));
    });
}

fn keyring() -> Keyring {
    Keyring::new(&Secret::parse(&"a1".repeat(32)).unwrap()).unwrap()
}

/// AES-256-GCM and nothing else. Its nonce is always the same, which only a benchmark may do.
struct Ring(LessSafeKey);

impl Ring {
    fn new() -> Self {
        Self(LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, &[1; 32]).unwrap(),
        ))
    }

    fn nonce() -> Nonce {
        Nonce::assume_unique_for_key([0; 12])
    }

    /// Without the tag, so that the buffer can be sealed again.
    fn seal(&self, buffer: &mut [u8]) {
        let tag = self
            .0
            .seal_in_place_separate_tag(Self::nonce(), Aad::from(BOUND), buffer);
        black_box(tag.unwrap().as_ref().len());
    }

    fn seal_fresh(&self, plaintext: &[u8]) -> Vec<u8> {
        let mut fresh = Vec::with_capacity(plaintext.len() + TAG_LEN);
        fresh.extend_from_slice(plaintext);
        self.0
            .seal_in_place_append_tag(Self::nonce(), Aad::from(BOUND), &mut fresh)
            .unwrap();
        fresh
    }

    fn open<'a>(&self, buffer: &'a mut [u8]) -> &'a mut [u8] {
        self.0
            .open_in_place(Self::nonce(), Aad::from(BOUND), buffer)
            .unwrap()
    }
}

/// Bytes without a pattern, the same in each run (xorshift).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// The start of a list of repositories, as GitHub writes it: names and numbers that differ, URLs
/// that do not.
fn repositories(len: usize) -> Vec<u8> {
    let mut list = String::from("[");
    for id in 0_u64.. {
        if list.len() >= len {
            break;
        }
        let hash = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let name = format!("octo-org/octo-repo-{id:03}");
        list += &format!(
            "{{\"id\":{},\"node_id\":\"R_{hash:016x}\",\"full_name\":\"{name}\",\"private\":{},\
             \"html_url\":\"https://github.com/{name}\",\"stargazers_count\":{},\
             \"url\":\"https://api.github.com/repos/{name}\",\
             \"forks_url\":\"https://api.github.com/repos/{name}/forks\",\
             \"hooks_url\":\"https://api.github.com/repos/{name}/hooks\",\
             \"pushed_at\":\"2026-0{}-1{}T0{}:4{}:5{}Z\"}},",
            hash % 900_000_000,
            id % 3 == 0,
            hash % 10_000,
            1 + hash % 9,
            hash % 7,
            hash % 5,
            hash % 8,
            hash % 6,
        );
    }
    let mut list = list.into_bytes();
    list.truncate(len);
    list
}
