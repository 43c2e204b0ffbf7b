//! An upstream that counts its calls, and changes its mind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::{BoxError, Entry, Fetched, MeshTime, PeerId, Source};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{self, Instant};

use crate::question::Question;

/// The longest that upstream takes.
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_millis(1500);

/// Upstream, with what it knows of its own past. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Mutex<State>>);

struct State {
    rng: StdRng,
    start: Instant,
    is_down: bool,
    /// The share of answers that are not to be kept; half as many are for the asker alone, or filed
    /// elsewhere.
    refusals: f64,
    questions: Vec<History>,
}

#[derive(Clone, Default)]
struct History {
    /// When each version was replaced by the next.
    replaced_at: Vec<Instant>,
    calls: u64,
    /// When it was not answered, or with what is not to be kept.
    failed_at: Vec<Instant>,
    refused_at: Vec<Instant>,
    /// When it was answered with what only the asker can have.
    apart_at: Vec<Instant>,
}

impl Upstream {
    pub(crate) fn new(seed: u64, questions: u32, refusals: f64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: StdRng::seed_from_u64(seed),
            start: Instant::now(),
            is_down: false,
            refusals,
            questions: vec![History::default(); questions as usize],
        })))
    }

    /// Answers a question, within [`ANSWERS_WITHIN`]. By right clocks the run began at `epoch`.
    pub(crate) async fn ask(
        &self,
        question: Question,
        stale: Option<Entry>,
        epoch: MeshTime,
    ) -> Result<Fetched, BoxError> {
        let [there, back] = {
            let mut state = self.state();
            state.of(question).calls += 1;
            let half = ANSWERS_WITHIN.as_millis() as u64 / 2;
            [(); 2].map(|()| Duration::from_millis(state.rng.random_range(20..half)))
        };
        time::sleep(there).await;
        let answer = self.answer(question, stale, epoch);
        time::sleep(back).await;
        answer
    }

    /// All that can be asked.
    pub(crate) fn questions(&self) -> impl Iterator<Item = Question> + use<> {
        let questions = self.state().questions.len() as u32;
        (0..questions).map(Question)
    }

    /// What upstream's clock shows, in its `Date`.
    pub(crate) fn date(&self, epoch: MeshTime) -> MeshTime {
        let now = epoch.saturating_add(self.state().start.elapsed());
        MeshTime::from_millis(now.as_millis() / 1000 * 1000)
    }

    /// From now on the answer is another one.
    pub(crate) fn change(&self, question: Question) {
        self.state().of(question).replaced_at.push(Instant::now());
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.state().is_down = is_down;
    }

    /// When a version ceased to be right; `None` as long as it is, and the version has been.
    pub(crate) fn replaced_at(
        &self,
        question: Question,
        version: usize,
    ) -> Option<Option<Instant>> {
        let mut state = self.state();
        let history = state.of(question);
        (version <= history.replaced_at.len()).then(|| history.replaced_at.get(version).copied())
    }

    /// Whether a call has failed at that moment or later.
    pub(crate) fn has_failed_since(&self, question: Question, since: Instant) -> bool {
        let mut state = self.state();
        let last = state.of(question).failed_at.last();
        last.is_some_and(|last| *last >= since)
    }

    /// Whether a call was refused at that moment or later.
    pub(crate) fn has_refused_since(&self, question: Question, since: Instant) -> bool {
        let mut state = self.state();
        let last = state.of(question).refused_at.last();
        last.is_some_and(|last| *last >= since)
    }

    /// How many calls, from that moment on, may have brought nothing that all could be told: they
    /// failed, were refused, or were overtaken by a change.
    pub(crate) fn in_vain_since(&self, question: Question, since: Instant) -> usize {
        let mut state = self.state();
        let history = state.of(question);
        let kinds = [
            &history.failed_at,
            &history.refused_at,
            &history.apart_at,
            &history.replaced_at,
        ];
        let since = |moments: &Vec<Instant>| moments.iter().filter(|at| **at >= since).count();
        kinds.into_iter().map(since).sum()
    }

    /// How many calls have brought nothing to keep.
    pub(crate) fn failures(&self, question: Question) -> u64 {
        let mut state = self.state();
        let history = state.of(question);
        (history.failed_at.len() + history.refused_at.len() + history.apart_at.len()) as u64
    }

    /// When a call has brought what only the asker could have: all others ask for themselves.
    pub(crate) fn apart_at(&self, question: Question) -> Vec<Instant> {
        self.state().of(question).apart_at.clone()
    }

    /// Which version is right.
    pub(crate) fn version_at(&self, question: Question, moment: Instant) -> usize {
        let mut state = self.state();
        let replaced_at = &state.of(question).replaced_at;
        replaced_at.partition_point(|replaced_at| *replaced_at <= moment)
    }

    /// How many calls there were of all questions.
    pub(crate) fn all_calls(&self) -> u64 {
        let state = self.state();
        state.questions.iter().map(|history| history.calls).sum()
    }

    pub(crate) fn calls(&self, question: Question) -> u64 {
        self.state().of(question).calls
    }

    fn answer(
        &self,
        question: Question,
        stale: Option<Entry>,
        epoch: MeshTime,
    ) -> Result<Fetched, BoxError> {
        let date = self.date(epoch);
        let mut state = self.state();
        if state.is_down {
            state.of(question).failed_at.push(Instant::now());
            return Err(question.error().into());
        }
        let refusals = state.refusals;
        if state.rng.random_bool(refusals) {
            state.of(question).refused_at.push(Instant::now());
            return Ok(Fetched::Passing(question.refusal()));
        }
        let body = question.body(state.of(question).replaced_at.len());
        let lifetime = question.lifetime();
        if state.rng.random_bool(refusals / 2.0) {
            state.of(question).apart_at.push(Instant::now());
            if state.rng.random_bool(0.5) {
                return Ok(Fetched::Private);
            }
            let path = question.resource().path;
            let entry = Entry::new(date, PeerId::LOCAL, path, body, lifetime);
            return Ok(Fetched::Elsewhere(entry, Source::Fetched));
        }
        Ok(match stale {
            Some(stale) if *stale.value() == body => Fetched::Revalidated(body, lifetime),
            _ => Fetched::New(body, lifetime),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&mut self, question: Question) -> &mut History {
        &mut self.questions[question.0 as usize]
    }
}
