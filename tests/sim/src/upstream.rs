//! An upstream that counts its calls, and changes its mind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cache_core::{BoxError, Entry, Fetched, MeshTime};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{self, Instant};

use crate::question::{QUESTIONS, Question};

/// Upstream, with what it knows of its own past. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Mutex<State>>);

struct State {
    rng: StdRng,
    start: Instant,
    is_down: bool,
    /// Of each answer of a hundred, so many are not to be kept.
    refusals: f64,
    questions: Vec<History>,
}

#[derive(Clone, Default)]
struct History {
    /// When each version was replaced by the next.
    replaced_at: Vec<Instant>,
    calls: u64,
    errors: u64,
}

impl Upstream {
    pub(crate) fn new(seed: u64, refusals: f64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: StdRng::seed_from_u64(seed),
            start: Instant::now(),
            is_down: false,
            refusals,
            questions: vec![History::default(); QUESTIONS as usize],
        })))
    }

    /// Answers a question, within a second and a half.
    pub(crate) async fn ask(
        &self,
        question: Question,
        stale: Option<Entry>,
    ) -> Result<Fetched, BoxError> {
        let (there, back) = {
            let mut state = self.state();
            state.of(question).calls += 1;
            let mut way = || Duration::from_millis(state.rng.random_range(20..750));
            (way(), way())
        };
        time::sleep(there).await;
        let answer = self.answer(question, stale);
        time::sleep(back).await;
        answer
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

    pub(crate) fn has_failed(&self, question: Question) -> bool {
        self.state().of(question).errors > 0
    }

    pub(crate) fn calls(&self, question: Question) -> u64 {
        self.state().of(question).calls
    }

    fn answer(&self, question: Question, stale: Option<Entry>) -> Result<Fetched, BoxError> {
        let mut state = self.state();
        if state.is_down {
            state.of(question).errors += 1;
            return Err(question.error().into());
        }
        let refusals = state.refusals;
        if state.rng.random_bool(refusals) {
            return Ok(Fetched::Passing(question.refusal()));
        }
        let body = question.body(state.of(question).replaced_at.len());
        let lifetime = question.lifetime();
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
