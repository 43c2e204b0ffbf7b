//! Fewer bytes before they are sealed.
//!
//! Compressing what is then encrypted lets the length tell something of the content. It becomes an
//! attack (CRIME, BREACH) where one who watches the lengths also places guesses next to an unknown
//! secret, in the same compressed text, over and over. Here:
//!
//! - the credentials of who asks are in no plaintext; what is secret are answers of GitHub, and what
//!   it may have put into them (the short-lived token of a `download_url`),
//! - each plaintext is compressed by itself: no dictionary or window spans two,
//! - frames travel inside Noise, merged with others into one stream, and only members cause them;
//!   an answer is fetched and sent once in each lifetime, not once per guess.
//!
//! So one who watches the wire or the disk learns how well an answer compresses, besides how long
//! it is. Somebody who can write next to a text that he cannot read (into an issue of a private
//! repository, say), make the fleet fetch it again and again, and see the lengths of what it stores
//! could test guesses at that text. We accept this for the bytes and the time that it saves.
//!
//! On the way back, one call takes up what it is given, a plaintext of at most 8 MiB (while it
//! grows, half as much again), and a window of at most 2 MiB. It runs in the thread that asks, so
//! there are as many at a time as threads that open; what becomes of the plaintexts is for the
//! callers to bound. Between calls, up to eight idle decoders keep their windows: 18 MiB, if a
//! member has made it so.

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use cache_core::{Misconduct, OpenError};
use zstd::bulk::Compressor;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe::get_frame_content_size;
use zstd::zstd_safe::zstd_sys::ZSTD_MAGICNUMBER as MAGICNUMBER;

use crate::envelope::{MAX_PLAINTEXT, TAG_LEN};

#[cfg(test)]
mod tests;

/// How hard to try. Another one makes other bytes, which open all the same, as long as their window
/// is within [`MAX_WINDOW_LOG`]; what asks for a larger one takes a new
/// [`VERSION`](crate::envelope::VERSION).
const LEVEL: i32 = 3;

/// Shorter plaintexts are left as they are: there is little to gain.
const MIN_COMPRESSED: usize = 256;

/// The largest window, as a power of two, that a compressed plaintext may ask us to allocate: what
/// level 3 asks for, 2 MiB. A decoder keeps it for the next frame.
const MAX_WINDOW_LOG: u32 = 21;

/// What was sealed: the plaintext, or something shorter in its place.
///
/// It stands in clear before what is sealed, and is authenticated with it. That it can be seen
/// tells no more than the length does. Who does not know a form takes it for malformed, so a further
/// one takes a new [`VERSION`](crate::envelope::VERSION).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Zstd,
}

impl Form {
    pub(crate) const fn as_byte(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Zstd => 1,
        }
    }

    pub(crate) const fn of_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Plain),
            1 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Packs plaintexts, with contexts that are used again: to set up a new one takes as long as to
/// compress 4 KiB of JSON.
#[derive(Default)]
pub(crate) struct Packer {
    compressors: Pool<Compressor<'static>>,
    decoders: Pool<Decoder<'static>>,
}

impl Packer {
    /// Appends `plaintext` to `out` in the form that is shorter.
    pub(crate) fn pack(&self, plaintext: &[u8], out: &mut Vec<u8>) -> Form {
        if self.compress(plaintext, out).is_some() {
            return Form::Zstd;
        }
        out.extend_from_slice(plaintext);
        Form::Plain
    }

    /// The plaintext that was packed.
    pub(crate) fn unpack(&self, form: Form, packed: BytesMut) -> Result<Bytes, OpenError> {
        match form {
            Form::Plain => Ok(packed.freeze()),
            Form::Zstd => self
                .decompress(&packed, MAX_PLAINTEXT)
                .map(Bytes::from)
                .ok_or(OpenError(Misconduct::Forged)),
        }
    }

    /// `None`, with `out` as it was, where compressing does not help.
    fn compress(&self, plaintext: &[u8], out: &mut Vec<u8>) -> Option<()> {
        if plaintext.len() < MIN_COMPRESSED || looks_random(plaintext) {
            return None;
        }
        let start = out.len();
        out.reserve(plaintext.len());
        let mut compressor = self.compressors.take(|| Compressor::new(LEVEL).ok())?;
        let mut body = Cursor::new(&mut *out);
        body.set_position(start as u64);
        let compressed = compressor.compress_to_buffer(plaintext, &mut body);
        self.compressors.put(compressor);

        // What saves less than a sixteenth is not worth decompressing.
        let worthwhile = plaintext.len() - plaintext.len() / 16;
        if compressed.is_ok_and(|len| len < worthwhile) {
            // A frame may wait in a queue; it should not hold the room of what it was.
            out.shrink_to(out.len() + TAG_LEN);
            Some(())
        } else {
            out.truncate(start);
            None
        }
    }

    /// `None` where this is not exactly one whole zstd frame of at most `limit` bytes.
    fn decompress(&self, compressed: &[u8], limit: usize) -> Option<Vec<u8>> {
        // A frame to be skipped would pass for an empty plaintext.
        if !compressed.starts_with(&MAGICNUMBER.to_le_bytes()) {
            return None;
        }
        let declared = get_frame_content_size(compressed).ok()?.unwrap_or(0);
        let declared = usize::try_from(declared).ok()?;
        if declared > limit {
            return None;
        }
        let mut decoder = self.decoders.take(new_decoder)?;
        let room = believed(declared, compressed.len());
        let plaintext = decode(&mut decoder, compressed, room, limit);
        // A decoder that stopped half way is not used again.
        if plaintext.is_some() {
            self.decoders.put(decoder);
        }
        plaintext
    }
}

/// How many bytes to allocate for a plaintext that declares its length: never many times more
/// than are there to be decompressed. Past this the buffer grows as fast as it is filled.
fn believed(declared: usize, compressed: usize) -> usize {
    const MAX_RATIO: usize = 32;

    declared.min(compressed.saturating_mul(MAX_RATIO))
}

fn new_decoder() -> Option<Decoder<'static>> {
    let mut decoder = Decoder::new().ok()?;
    decoder
        .set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))
        .ok()?;
    Some(decoder)
}

fn decode(
    decoder: &mut Decoder<'static>,
    compressed: &[u8],
    room: usize,
    limit: usize,
) -> Option<Vec<u8>> {
    const LEAST_STEP: usize = 4096;

    let mut input = InBuffer::around(compressed);
    let mut out = Vec::with_capacity(room);
    loop {
        let filled = out.len();
        // Zero means that the frame is complete; what it is otherwise is a mere hint.
        let hint = decoder
            .run(&mut input, &mut OutBuffer::around_pos(&mut out, filled))
            .ok()?;
        if out.len() > limit {
            return None;
        }
        if hint == 0 {
            return (input.pos == compressed.len()).then_some(out);
        }
        if out.len() < out.capacity() {
            // There is room left, so the input has come to its end before the frame.
            return None;
        }
        // One byte over the limit is enough to see that it is passed.
        let step = out.len().max(LEAST_STEP).min(limit + 1 - out.len());
        out.reserve_exact(step);
    }
}

/// Whether a few bytes here and there in `plaintext` look like noise: compressed already, or
/// encrypted.
///
/// zstd finds that out too, but for a frame of 4 KiB it takes six times as long as sealing does.
/// Of 64 random bytes 32 have their highest bit set, and 7 are control characters, which text has
/// none of (and JSON may have none of: RFC 8259, section 7). A wrong guess costs bytes or time,
/// nothing else.
fn looks_random(plaintext: &[u8]) -> bool {
    const RUN: usize = 8;
    const RUNS: usize = 8;
    const HIGH: u8 = 20;
    const CONTROL: u8 = 3;

    let mut sample = [0; RUN * RUNS];
    let stride = (plaintext.len() / RUNS).max(RUN);
    for (run, part) in sample.chunks_exact_mut(RUN).zip(plaintext.chunks(stride)) {
        if let Some(first) = part.first_chunk::<RUN>() {
            run.copy_from_slice(first);
        }
    }
    // Without a branch, and summed up in a byte, which holds 64: a few nanoseconds.
    let count = |is: fn(u8) -> bool| sample.iter().map(|&byte| u8::from(is(byte))).sum::<u8>();
    count(|byte| byte >= 0x80) >= HIGH
        && count(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) >= CONTROL
}

/// Things that are dear to make, kept for the next use.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    /// As many as are likely to be in use at a time. What is over that is dropped after its use.
    const MAX_IDLE: usize = 8;

    fn take(&self, make: impl FnOnce() -> Option<T>) -> Option<T> {
        let idle = self.lock().pop();
        idle.or_else(make)
    }

    fn put(&self, used: T) {
        let mut idle = self.lock();
        if idle.len() < Self::MAX_IDLE {
            idle.push(used);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
