//! What can be asked of upstream, and what its answers look like.

use std::time::Duration;

use bytes::Bytes;
use cache_core::{Family, Key, Lifetime, Path, Resource, Scope};

/// Questions of most fleets, in all scopes.
pub(crate) const QUESTIONS: u32 = 48;

/// Whoever asks in one of these is shown something else.
const SCOPES: u32 = 3;

/// One question in one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Question(pub(crate) u32);

impl Question {
    /// One that nobody would take it for.
    pub(crate) fn another(self) -> Self {
        Self((self.0 + 5) % QUESTIONS)
    }

    pub(crate) fn key(self) -> Key {
        let scope = match self.0 % SCOPES {
            0 => Scope::PUBLIC,
            principal => Scope::from_digest([principal as u8; 16]),
        };
        Key::new(Family::of([(self.0 / SCOPES).to_le_bytes()]), scope)
    }

    /// The questions of one repository lie under one path.
    pub(crate) fn resource(self) -> Resource {
        let path = format!("/repository {}/{}", self.repository(), self.0);
        Resource::new(self.key(), Path::new(&path))
    }

    pub(crate) fn repository(self) -> u32 {
        self.0 % 8
    }

    pub(crate) fn repository_path(self) -> Path {
        Path::new(&format!("/repository {}", self.repository()))
    }

    pub(crate) fn lifetime(self) -> Lifetime {
        let secs = Duration::from_secs;
        match self.0 % 5 {
            0 => Lifetime::fresh_for(secs(20)).and_stale_for(secs(600)),
            1 => Lifetime::fresh_for(secs(60)),
            2 => Lifetime::fresh_for(secs(45)).and_stale_for(secs(3600)),
            3 => Lifetime::fresh_for(secs(600)),
            _ => Lifetime::fresh_for(secs(24 * 3600)),
        }
    }

    /// Whether many peers are only told where its answer is to be had.
    pub(crate) fn is_long(self) -> bool {
        self.0 % 16 == 7
    }

    /// The answer while that version is right. Its length is from 100 bytes to 8 KB; of some it is
    /// more than travels with a push.
    pub(crate) fn body(self, version: usize) -> Bytes {
        let mut body = format!("{} {version} ", self.0);
        let length = match self.is_long() {
            true => 100_000,
            false => 100 + (self.0 as usize * 997) % 8000,
        };
        body.extend(std::iter::repeat_n('.', length));
        body.into()
    }

    /// The version that a body gives as the answer to this very question.
    pub(crate) fn version_in(self, body: &[u8]) -> Option<usize> {
        let text = std::str::from_utf8(body).ok()?;
        let version = text.split(' ').nth(1)?.parse().ok()?;
        (self.body(version) == body).then_some(version)
    }

    /// An answer that is not to be kept.
    pub(crate) fn refusal(self) -> Bytes {
        format!("refused {}", self.0).into()
    }

    pub(crate) fn error(self) -> String {
        format!("upstream is down for {}", self.0)
    }
}
