//! A member gone bad says what is no message. Whatever decodes is a message: encoded again, it is
//! the same.
#![no_main]

use cache_core::wire::Message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    if let Ok(message) = Message::decode(frame) {
        let again = message.encode().unwrap();
        assert_eq!(Message::decode(&again).unwrap(), message);
    }
});
