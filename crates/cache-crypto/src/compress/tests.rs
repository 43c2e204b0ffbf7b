//! When compression is used, and what it refuses to expand.

use super::*;

/// Bytes without a pattern, the same in each run (xorshift).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(len)
    .collect()
}

fn pack(plaintext: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    Packer::default().pack(plaintext, &mut packed);
    packed
}

fn json(len: usize) -> Vec<u8> {
    let item = br#"{"id":1296269,"name":"Hello-World","private":false,"owner":"octocat"},"#;
    item.iter().copied().cycle().take(len).collect()
}

/// A zstd frame of `len` zeros.
fn bomb(len: usize) -> Vec<u8> {
    let mut packed = vec![ZSTD];
    packed.extend(zstd::bulk::compress(&vec![0; len], 19).unwrap());
    packed
}

#[test]
fn json_gets_much_shorter() {
    let packed = pack(&json(10_000));
    assert_eq!(packed[0], ZSTD);
    assert!(packed.len() < 1_000, "{}", packed.len());
}

#[test]
fn what_does_not_compress_grows_by_one_byte() {
    for plaintext in [noise(100_000), noise(300), json(100), Vec::new()] {
        let packed = pack(&plaintext);
        assert_eq!(packed[0], PLAIN);
        assert_eq!(packed[1..], plaintext);
    }
}

#[test]
fn noise_is_told_from_text_and_base64() {
    assert!(looks_random(&noise(4096)));
    assert!(!looks_random(&json(4096)));
    let base64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encoded: Vec<u8> = noise(4096)
        .iter()
        .map(|byte| base64[usize::from(byte & 63)])
        .collect();
    assert!(!looks_random(&encoded));
}

#[test]
fn room_that_compression_has_saved_is_given_back() {
    let packed = pack(&json(1_000_000));
    assert!(
        packed.capacity() < 2 * packed.len(),
        "{}",
        packed.capacity()
    );
}

#[test]
fn the_same_packer_packs_again_after_a_failure() {
    let packer = Packer::default();
    let mut packed = Vec::new();
    // Sixty-four equal bytes out of a noise that looks like text: zstd runs out of room.
    let hard: Vec<u8> = noise(65_536)
        .chunks(1024)
        .flat_map(|chunk| [&b"a"[..], &chunk[1..]].concat())
        .collect();
    packer.pack(&hard, &mut packed);
    assert_eq!(packed[0], PLAIN);
    packed.clear();
    packer.pack(&json(10_000), &mut packed);
    assert_eq!(packed[0], ZSTD);
    assert_eq!(packer.unpack(packed).unwrap(), json(10_000));
}

#[test]
fn the_largest_plaintext_comes_back_however_well_it_compresses() {
    let zeros = vec![0; MAX_PLAINTEXT];
    let unpacked = Packer::default().unpack(pack(&zeros)).unwrap();
    assert_eq!(unpacked, zeros);
}

#[test]
fn a_bomb_that_declares_its_size_is_refused() {
    let bomb = bomb(MAX_PLAINTEXT + 1);
    assert!(bomb.len() < 2_000);
    assert_eq!(Packer::default().unpack(bomb), Err(OpenError));
}

#[test]
fn a_bomb_that_declares_no_size_is_refused() {
    let zeros = vec![0; MAX_PLAINTEXT + 1];
    let mut bomb = vec![ZSTD];
    // The streaming encoder does not know the size in advance.
    bomb.extend(zstd::stream::encode_all(&*zeros, 1).unwrap());
    assert_eq!(get_frame_content_size(&bomb[1..]).unwrap(), None);
    assert_eq!(Packer::default().unpack(bomb), Err(OpenError));
}

#[test]
fn a_declared_size_is_not_believed_without_bytes_to_match() {
    // A frame that declares 8 MiB and ends there: RFC 8878, section 3.1.1, single segment.
    let mut compressed = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
    compressed.extend((8_u32 << 20).to_le_bytes());
    assert_eq!(get_frame_content_size(&compressed).unwrap(), Some(8 << 20));
    assert_eq!(believed(8 << 20, compressed.len()), 32 * compressed.len());
    assert_eq!(
        Packer::default().decompress(&compressed, MAX_PLAINTEXT),
        None
    );
}

#[test]
fn a_frame_without_a_declared_size_is_expanded_as_it_comes() {
    let plaintext = json(1_000_000);
    let mut packed = vec![ZSTD];
    packed.extend(zstd::stream::encode_all(&*plaintext, 3).unwrap());
    assert_eq!(Packer::default().unpack(packed).unwrap(), plaintext);
}

#[test]
fn a_frame_must_be_whole_and_alone() {
    let whole = pack(&json(10_000));
    let packer = Packer::default();
    for len in 1..whole.len() {
        assert_eq!(
            packer.unpack(whole[..len].to_vec()),
            Err(OpenError),
            "{len}"
        );
    }
    let followed = [&whole[..], b"x"].concat();
    assert_eq!(packer.unpack(followed), Err(OpenError));
    let twice = [&whole[..], &whole[1..]].concat();
    assert_eq!(packer.unpack(twice), Err(OpenError));
    assert_eq!(packer.unpack(whole).unwrap(), json(10_000));
}

#[test]
fn unknown_forms_are_refused() {
    for packed in [vec![], vec![2], b"\xffhello".to_vec()] {
        assert_eq!(Packer::default().unpack(packed), Err(OpenError));
    }
}
