//! Nonces, and the table of processes' keys.

use std::collections::HashSet;

use super::*;

/// Everything that one process has of the keys.
struct Process {
    seals: SealingKey,
    opens: OpeningKeys,
}

fn process() -> Process {
    let opens = OpeningKeys::new(derive::root(b"one fleet"));
    let fingerprint = Fingerprint::from_bytes([7; Fingerprint::LEN]);
    Process {
        seals: SealingKey::new(opens.source(), fingerprint).unwrap(),
        opens,
    }
}

impl Process {
    fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut buffer = vec![0; HEADER_LEN];
        buffer.extend_from_slice(plaintext);
        self.seals
            .seal(Purpose::Broadcast, Form::Plain, &mut buffer)?;
        Ok(buffer)
    }

    fn open(&self, sealed: &[u8]) -> Result<BytesMut, OpenError> {
        let header = Header::parse(sealed).unwrap();
        let mut buffer = BytesMut::from(sealed);
        let opened = self.opens.open(Purpose::Broadcast, &header, &mut buffer);
        opened.map(|()| buffer)
    }

    fn kept(&self) -> usize {
        self.opens.kept.load().len()
    }
}

#[test]
fn no_nonce_comes_twice_in_a_million_seals() {
    const EACH: usize = 250_000;

    // Four threads, two in each process, at the same time.
    let processes = [process(), process()];
    let used = std::thread::scope(|scope| {
        let threads = [0, 1, 0, 1].map(|which: usize| {
            let process = &processes[which];
            scope.spawn(move || -> Vec<(Salt, [u8; 12])> {
                let headers = (0..EACH).map(|_| {
                    let sealed = process.seal(b"").unwrap();
                    Header::parse(&sealed).unwrap()
                });
                headers.map(|h| (h.salt, h.nonce())).collect()
            })
        });
        threads.map(|thread| thread.join().unwrap()).concat()
    });

    let mut distinct = used;
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 4 * EACH);
}

#[test]
fn no_process_has_the_key_of_one_before_it() {
    // A process that is started again counts from zero again: it is the salt that differs.
    let salts: HashSet<Salt> = (0..10_000).map(|_| process().seals.salt).collect();
    assert_eq!(salts.len(), 10_000);
}

#[test]
fn a_used_up_key_refuses_for_ever() {
    let process = process();
    process.seals.next.store(MAX_SEALS - 1, Ordering::Relaxed);
    assert!(process.seal(b"the last").is_ok());
    for _ in 0..3 {
        assert_eq!(process.seal(b"one more"), Err(SealError::Exhausted));
    }
    assert_eq!(process.seals.next.load(Ordering::Relaxed), MAX_SEALS);
}

#[test]
fn keys_of_others_are_kept_up_to_the_bound_and_work_beyond_it() {
    let here = process();
    for _ in 0..=MAX_KEPT {
        let sealed = process().seal(b"hello").unwrap();
        assert_eq!(here.open(&sealed).unwrap(), "hello");
        assert!((1..=MAX_KEPT).contains(&here.kept()));
    }
}

#[test]
fn what_does_not_open_leaves_no_key_behind() {
    let here = process();
    let mut forged = process().seal(b"hello").unwrap();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(here.open(&forged), Err(OpenError(Misconduct::Forged)));
    assert_eq!(here.kept(), 0);
}
