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

fn pack(plaintext: &[u8]) -> (Form, Vec<u8>) {
    let mut packed = Vec::new();
    let form = Packer::default().pack(plaintext, &mut packed);
    (form, packed)
}

/// What comes of bytes that say they are compressed.
fn expand(compressed: &[u8]) -> Result<Bytes, OpenError> {
    Packer::default().unpack(Form::Zstd, compressed.into())
}

fn json(len: usize) -> Vec<u8> {
    let item = br#"{"id":1296269,"name":"Hello-World","private":false,"owner":"octocat"},"#;
    item.iter().copied().cycle().take(len).collect()
}

/// A zstd frame of `len` zeros.
fn bomb(len: usize) -> Vec<u8> {
    zstd::bulk::compress(&vec![0; len], 19).unwrap()
}

#[test]
fn json_gets_much_shorter() {
    let (form, packed) = pack(&json(10_000));
    assert_eq!(form, Form::Zstd);
    assert!(packed.len() < 1_000, "{}", packed.len());
}

#[test]
fn what_does_not_compress_stays_as_it_is() {
    for plaintext in [noise(100_000), noise(300), json(100), Vec::new()] {
        assert_eq!(pack(&plaintext), (Form::Plain, plaintext));
    }
}

#[test]
fn noise_is_told_from_text() {
    for len in [256, 300, 4096, 100_000] {
        assert!(looks_random(&noise(len)), "{len}");
        assert!(!looks_random(&json(len)), "{len}");
    }
    let base64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encoded: Vec<u8> = noise(4096)
        .iter()
        .map(|byte| base64[usize::from(byte & 63)])
        .collect();
    assert!(!looks_random(&encoded));
    // Half of its bytes have the highest bit set, as half of a noise's have.
    let chinese = "{\"title\":\"缓存没有更新，请检查令牌\",\n\t\"body\":\"同样的问题\"}";
    assert!(!looks_random(chinese.repeat(60).as_bytes()));
    assert!(!looks_random(&[0; 4096]));
}

#[test]
fn room_that_compression_has_saved_is_given_back() {
    let (_, packed) = pack(&json(1_000_000));
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
    // Noise that looks like text where it is looked at: zstd runs out of room.
    let mut hard = noise(65_536);
    for run in hard.chunks_mut(65_536 / 8) {
        run[..8].fill(b'a');
    }
    assert_eq!(packer.pack(&hard, &mut packed), Form::Plain);
    packed.clear();
    assert_eq!(packer.pack(&json(10_000), &mut packed), Form::Zstd);
    assert_eq!(
        packer.unpack(Form::Zstd, packed[..].into()).unwrap(),
        json(10_000)
    );
}

#[test]
fn the_largest_plaintext_comes_back_however_well_it_compresses() {
    let zeros = vec![0; MAX_PLAINTEXT];
    let (form, packed) = pack(&zeros);
    assert_eq!(form, Form::Zstd);
    assert_eq!(expand(&packed).unwrap(), zeros);
}

#[test]
fn a_bomb_that_declares_its_size_is_refused() {
    let bomb = bomb(MAX_PLAINTEXT + 1);
    assert!(bomb.len() < 2_000);
    assert_eq!(expand(&bomb), Err(OpenError(Misconduct::Forged)));
}

#[test]
fn a_bomb_that_declares_no_size_is_refused() {
    let zeros = vec![0; MAX_PLAINTEXT + 1];
    // The streaming encoder does not know the size in advance.
    let bomb = zstd::stream::encode_all(&*zeros, 1).unwrap();
    assert_eq!(get_frame_content_size(&bomb).unwrap(), None);
    assert_eq!(expand(&bomb), Err(OpenError(Misconduct::Forged)));
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
    let packed = zstd::stream::encode_all(&*plaintext, 3).unwrap();
    assert_eq!(expand(&packed).unwrap(), plaintext);
}

#[test]
fn a_frame_asks_for_no_larger_window_than_is_ours() {
    let frame = |window_log| {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(window_log).unwrap();
        std::io::Write::write_all(&mut encoder, &json(3 << 20)).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(expand(&frame(MAX_WINDOW_LOG)).unwrap(), json(3 << 20));
    assert_eq!(
        expand(&frame(MAX_WINDOW_LOG + 1)),
        Err(OpenError(Misconduct::Forged))
    );
}

#[test]
fn what_we_pack_asks_for_no_larger_window_than_is_ours() {
    // At the edges of what one window holds, and text that compresses ill.
    let hard: Vec<u8> = noise(MAX_PLAINTEXT)
        .iter()
        .map(|byte| b'a' + byte % 16)
        .collect();
    for len in [
        1 << 20,
        (1 << 21) - 1,
        1 << 21,
        (1 << 21) + 1,
        MAX_PLAINTEXT,
    ] {
        let (form, packed) = pack(&hard[..len]);
        assert_eq!(form, Form::Zstd);
        assert_eq!(expand(&packed).unwrap(), hard[..len]);
    }
}

#[test]
fn a_frame_must_be_whole_and_alone() {
    let (_, whole) = pack(&json(10_000));
    for len in 0..whole.len() {
        assert_eq!(
            expand(&whole[..len]),
            Err(OpenError(Misconduct::Forged)),
            "{len}"
        );
    }
    let followed = [&whole[..], b"x"].concat();
    assert_eq!(expand(&followed), Err(OpenError(Misconduct::Forged)));
    let twice = [&whole[..], &whole[..]].concat();
    assert_eq!(expand(&twice), Err(OpenError(Misconduct::Forged)));
    // RFC 8878, section 3.1.2: a magic number of its own, a length, and so many bytes.
    let skippable = b"\x50\x2a\x4d\x18\x04\0\0\0skip";
    assert_eq!(expand(skippable), Err(OpenError(Misconduct::Forged)));
    assert_eq!(
        expand(&[skippable, &whole[..]].concat()),
        Err(OpenError(Misconduct::Forged))
    );
    assert_eq!(expand(&whole).unwrap(), json(10_000));
}

#[test]
fn a_form_is_read_as_it_was_written_and_no_other_is_known() {
    for form in [Form::Plain, Form::Zstd] {
        assert_eq!(Form::of_byte(form.as_byte()), Some(form));
    }
    assert_eq!(Form::of_byte(2), None);
}
