//! Published vectors of AES-256-GCM, and the layout.

use ring::aead::{AES_256_GCM, UnboundKey};

use super::*;

fn unhex(digits: &str) -> Vec<u8> {
    hex::decode(digits).unwrap()
}

fn key(digits: &str) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &unhex(digits)).unwrap())
}

struct Vector {
    key: &'static str,
    nonce: &'static str,
    associated_data: &'static str,
    plaintext: &'static str,
    sealed: &'static str,
}

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const FEFFE: &str = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";

/// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 13 to 16:
/// those with a 256-bit key and a 96-bit nonce, tag after ciphertext.
const VECTORS: [Vector; 4] = [
    Vector {
        key: ZEROS,
        nonce: "000000000000000000000000",
        associated_data: "",
        plaintext: "",
        sealed: "530f8afbc74536b9a963b4f1c4cb738b",
    },
    Vector {
        key: ZEROS,
        nonce: "000000000000000000000000",
        associated_data: "",
        plaintext: "00000000000000000000000000000000",
        sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    },
    Vector {
        key: FEFFE,
        nonce: "cafebabefacedbaddecaf888",
        associated_data: "",
        plaintext: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad\
                 b094dac5d93471bdec1a502270e3cc6c",
    },
    Vector {
        key: FEFFE,
        nonce: "cafebabefacedbaddecaf888",
        associated_data: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        plaintext: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
                 76fc6ece0f4e1768cddf8853bb2d551b",
    },
];

#[test]
fn sealing_in_place_gives_the_published_ciphertexts() {
    for vector in VECTORS {
        let mut buffer = b"header".to_vec();
        buffer.extend(unhex(vector.plaintext));
        seal_in_place(
            &key(vector.key),
            unhex(vector.nonce).try_into().unwrap(),
            unhex(vector.associated_data),
            &mut buffer,
            b"header".len(),
        )
        .unwrap();
        assert_eq!(buffer[..6], *b"header");
        assert_eq!(hex::encode(&buffer[6..]), vector.sealed);
    }
}

#[test]
fn opening_gives_the_published_plaintexts() {
    for vector in VECTORS {
        let mut buffer = unhex(vector.sealed);
        open_in_place(
            &key(vector.key),
            unhex(vector.nonce).try_into().unwrap(),
            unhex(vector.associated_data),
            &mut buffer,
        )
        .unwrap();
        let plaintext = &buffer[..buffer.len() - TAG_LEN];
        assert_eq!(hex::encode(plaintext), vector.plaintext);
    }
}

fn header() -> Header {
    Header {
        form: Form::Zstd,
        fingerprint: Fingerprint::from_bytes([1, 2, 3, 4, 5, 6]),
        salt: [5; 16],
        counter: 0x0102_0304_0506_0708,
    }
}

#[test]
fn a_header_is_read_as_it_was_written() {
    let mut sealed = header().to_bytes().to_vec();
    sealed.extend(b"rest");
    assert_eq!(Header::parse(&sealed), Some(header()));
}

#[test]
fn another_version_is_not_read() {
    let mut sealed = header().to_bytes();
    sealed[0] = VERSION + 1;
    assert_eq!(Header::parse(&sealed), None);
}

#[test]
fn a_nonce_is_the_counter_in_96_bits() {
    assert_eq!(
        header().nonce(),
        [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
        "big-endian, zeros in front"
    );
}

#[test]
fn a_request_is_named_by_its_header_and_tag() {
    let mut request = vec![1; HEADER_LEN];
    request.extend([2; 1000]);
    request.extend([3; TAG_LEN]);
    assert_eq!(name_of(&request), (&[1; HEADER_LEN][..], &[3; TAG_LEN][..]));
}

#[test]
fn what_is_too_short_for_a_request_is_its_own_name() {
    let short = [1; HEADER_LEN + TAG_LEN - 1];
    assert_eq!(name_of(&short), (&short[..], &[][..]));
}
