//! Nonces, and the table of other processes' keys.

use std::collections::HashSet;

use super::*;

fn process() -> ProcessKeys {
    let fingerprint = Fingerprint::from_bytes([7; 4]);
    ProcessKeys::new(derive::root(b"one fleet"), fingerprint).unwrap()
}

fn seal(keys: &ProcessKeys, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut buffer = vec![0; HEADER_LEN];
    buffer.extend_from_slice(plaintext);
    keys.seal(Purpose::Broadcast, &mut buffer)?;
    Ok(buffer)
}

#[test]
fn no_two_seals_share_key_and_nonce() {
    const EACH: usize = 5_000;

    let processes = [process(), process()];
    let used = std::thread::scope(|scope| {
        let seal_many = |keys| {
            move || -> Vec<Header> {
                (0..EACH)
                    .map(|_| Header::parse(&seal(keys, b"x").unwrap()).unwrap().0)
                    .collect()
            }
        };
        // Two threads in each process, at the same time.
        let threads = [0, 1, 0, 1].map(|process| scope.spawn(seal_many(&processes[process])));
        threads.map(|thread| thread.join().unwrap()).concat()
    });

    let distinct: HashSet<_> = used.iter().map(|h| (h.salt, h.nonce())).collect();
    assert_eq!(distinct.len(), 4 * EACH);
}

#[test]
fn a_used_up_key_refuses_for_ever() {
    let keys = process();
    keys.next.store(MAX_SEALS - 1, Ordering::Relaxed);
    assert!(seal(&keys, b"the last").is_ok());
    for _ in 0..3 {
        assert_eq!(seal(&keys, b"one more"), Err(SealError::Exhausted));
    }
    assert_eq!(keys.next.load(Ordering::Relaxed), MAX_SEALS);
}

#[test]
fn keys_of_others_are_kept_up_to_the_bound_and_work_beyond_it() {
    let keys = process();
    for _ in 0..=MAX_KEPT {
        let sealed = seal(&process(), b"hello").unwrap();
        assert_eq!(keys.open(Purpose::Broadcast, &sealed).unwrap(), b"hello");
        assert!(keys.others.read().unwrap().len() <= MAX_KEPT);
    }
}

#[test]
fn what_does_not_open_leaves_no_key_behind() {
    let keys = process();
    let mut forged = seal(&process(), b"hello").unwrap();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(keys.open(Purpose::Broadcast, &forged), Err(OpenError));
    assert!(keys.others.read().unwrap().is_empty());
}
