//! Callers who join, wait, land and die, in many orders.

use std::sync::atomic::{AtomicU32, Ordering};

use shuttle::future::{block_on, yield_now};

use super::*;
use crate::concurrency::{in_many_orders, spawn};

const CALLERS: u32 = 3;

/// A table of flights, and an upstream that notices when it is asked twice at once.
#[derive(Default)]
struct Field {
    flights: Flights<u32>,
    asking: AtomicU32,
    asked: AtomicU32,
}

impl Default for Flights<u32> {
    fn default() -> Self {
        Self::new()
    }
}

impl Field {
    /// Asks upstream, as the one who leads; numbers the answers from 1.
    async fn ask(&self) -> u32 {
        assert_eq!(self.asking.fetch_add(1, Ordering::SeqCst), 0, "two lead");
        yield_now().await;
        self.asking.fetch_sub(1, Ordering::SeqCst);
        self.asked.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// What a caller does. Those that are to `die` ask and never land.
    async fn call(&self, die: bool) -> Option<u32> {
        loop {
            match self.flights.join(key()) {
                Turn::Lead(lead) => {
                    let answer = self.ask().await;
                    if die {
                        return None;
                    }
                    lead.land(answer);
                    return Some(answer);
                }
                Turn::Wait(landing) => {
                    if let Some(answer) = landing.wait().await {
                        return Some(answer);
                    }
                }
            }
        }
    }
}

fn key() -> Key {
    Key::public(["k"])
}

/// Runs a call for each of these at once, and returns what they got.
fn race<F, Fut, T>(callers: impl IntoIterator<Item = T>, call: F) -> (Arc<Field>, Vec<Option<u32>>)
where
    F: Fn(Arc<Field>, T) -> Fut,
    Fut: Future<Output = Option<u32>> + Send + 'static,
{
    let field = Arc::<Field>::default();
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|caller| spawn(call(Arc::clone(&field), caller)))
        .collect();
    let got = tasks.into_iter().map(|task| block_on(task).unwrap());
    let got = got.collect();
    (field, got)
}

#[test]
fn one_leads_at_a_time_and_all_get_an_answer() {
    in_many_orders(|| {
        let call = |field: Arc<Field>, ()| async move { field.call(false).await };
        let (field, got) = race([(); CALLERS as usize], call);
        let asked = field.asked.load(Ordering::SeqCst);
        assert!((1..=CALLERS).contains(&asked));
        assert!(
            got.iter()
                .all(|answer| (1..=asked).contains(&answer.unwrap()))
        );
        assert!(field.flights.under_way.is_empty(), "a flight is left over");
    });
}

#[test]
fn when_a_lead_dies_all_wake_and_one_of_them_leads() {
    in_many_orders(|| {
        let call = |field: Arc<Field>, die| async move { field.call(die).await };
        let (field, got) = race([true, true, false, false], call);
        // Who dies, dies leading; who does not, gets an answer in the end.
        assert!(got[2..].iter().all(Option::is_some));
        assert!(field.flights.under_way.is_empty(), "a flight is left over");
    });
}

#[test]
fn a_call_that_begins_after_an_answer_does_not_get_that_answer() {
    in_many_orders(|| {
        let call = |field: Arc<Field>, ()| async move {
            let first = field.call(false).await;
            let second = field.call(false).await;
            assert!(second > first, "{first:?}, then {second:?}");
            second
        };
        race([(); CALLERS as usize], call);
    });
}

#[test]
fn a_caller_who_gives_up_waiting_leaves_the_others_alone() {
    in_many_orders(|| {
        let call = |field: Arc<Field>, is_patient| async move {
            if is_patient {
                return field.call(false).await;
            }
            match field.flights.join(key()) {
                Turn::Lead(lead) => drop(lead),
                Turn::Wait(landing) => {
                    let waiting = landing.wait();
                    futures::pin_mut!(waiting);
                    let _ = futures::poll!(&mut waiting);
                }
            }
            None
        };
        let (_, got) = race([true, false, false, true], call);
        assert!(got[0].is_some() && got[3].is_some());
    });
}
