//! What goes wrong, and where.

use std::time::Duration;

use super::body::Manner;
use super::canned::Canned;
use super::pattern::Pattern;

/// Something that goes wrong, for ever or a number of times.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use gh_client::testing::{Fault, StandIn};
///
/// let github = StandIn::start().await?;
/// github.fault("/repos/*", Fault::status(502).times(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) effect: Effect,
    /// How many more times; `None` for ever.
    left: Option<u32>,
}

/// What a fault does to one answer.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    Instead(Canned),
    Late(Duration),
    Sent(Manner),
    Reset,
    Silence,
}

impl Fault {
    fn new(effect: Effect) -> Self {
        Self { effect, left: None }
    }

    /// This status, with the few words that GitHub's front end has for it.
    ///
    /// # Panics
    ///
    /// Where `status` is not an HTTP status.
    pub fn status(status: u16) -> Self {
        Self::answer(Canned::server_error(status))
    }

    /// This answer instead of the ordinary one.
    pub fn answer(answer: Canned) -> Self {
        Self::new(Effect::Instead(answer))
    }

    /// GitHub's refusal of who asks too much at a time, with `retry-after` in seconds.
    pub fn secondary_limit(retry_after: u64) -> Self {
        Self::answer(Canned::secondary_limit(retry_after))
    }

    /// The ordinary answer, begun this much later.
    pub fn latency(latency: Duration) -> Self {
        Self::new(Effect::Late(latency))
    }

    /// The ordinary answer, in sixteen pieces (more, where it is over 1 MiB) with this pause
    /// before each.
    pub fn slow_body(pause: Duration) -> Self {
        Self::new(Effect::Sent(Manner::Slow(pause)))
    }

    /// The ordinary answer with its whole `Content-Length`, of which half arrives before the
    /// connection is closed.
    pub fn cut_body() -> Self {
        Self::new(Effect::Sent(Manner::CutDeclared))
    }

    /// The ordinary answer in chunks, without the one that ends it: half arrives before the
    /// connection is closed.
    pub fn cut_chunked() -> Self {
        Self::new(Effect::Sent(Manner::CutChunked))
    }

    /// No answer: the connection is reset.
    pub fn reset() -> Self {
        Self::new(Effect::Reset)
    }

    /// No answer: the connection stays open until the client gives up.
    pub fn silence() -> Self {
        Self::new(Effect::Silence)
    }

    /// Only for the next `times` requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.left = Some(times);
        self
    }
}

/// All faults, in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(String, Pattern, Fault)>);

impl Faults {
    pub(super) fn add(&mut self, path: &str, fault: Fault) {
        self.0.push((path.to_owned(), Pattern::new(path), fault));
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.0.retain(|(set, _, _)| set != path);
    }

    /// What happens to a request for `target`: the first fault that matches and is not used up.
    pub(super) fn strike(&mut self, target: &str) -> Option<Effect> {
        self.0
            .retain(|(_, _, fault)| fault.left.is_none_or(|left| left > 0));
        let (_, _, fault) = self
            .0
            .iter_mut()
            .find(|(_, pattern, _)| pattern.matches(target))?;
        if let Some(left) = &mut fault.left {
            *left -= 1;
        }
        Some(fault.effect.clone())
    }
}
