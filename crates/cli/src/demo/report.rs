//! What a demonstration has shown, and whether that is what it should have.

use std::ops::Sub;

use serde::Serialize;

use crate::report::Counters;
use crate::show;

use super::QUESTIONS;

/// What the fleet did: in the workload of the original, runner by runner and all told, and in what
/// came after it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) fleet: Totals,
    pub(super) runners: Vec<Totals>,
    pub(super) same_instant: Act,
    pub(super) late_joiner: Act,
    pub(super) upstream_off: Act,
}

/// What came of one act, all runners together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Act {
    pub(super) requests: u64,
    pub(super) peer_hits: u64,
    /// Answers that were out of date, and said so.
    pub(super) stale: u64,
    pub(super) upstream_calls: u64,
}

/// The counters that the demonstration is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Totals {
    pub(super) requests: u64,
    pub(super) local_hits: u64,
    pub(super) peer_hits: u64,
    pub(super) misses: u64,
    pub(super) hit_rate: f64,
    pub(super) upstream_calls: u64,
    pub(super) calls_saved: u64,
}

impl Report {
    /// A report on a fleet that has made so many calls, by the stand-in's own count.
    pub(super) fn new(upstream_calls: u64) -> Self {
        let fleet = Totals {
            upstream_calls,
            ..Totals::default()
        };
        Self {
            fleet,
            runners: Vec::new(),
            same_instant: Act::default(),
            late_joiner: Act::default(),
            upstream_off: Act::default(),
        }
    }

    pub(super) fn add(&mut self, stats: &Counters) {
        let runner = Totals {
            requests: stats.requests,
            local_hits: stats.hits,
            peer_hits: stats.peer_hits,
            misses: stats.misses,
            hit_rate: stats.hit_rate,
            upstream_calls: stats.api_calls_made,
            calls_saved: stats.api_calls_saved,
        };
        self.fleet.requests += runner.requests;
        self.fleet.local_hits += runner.local_hits;
        self.fleet.peer_hits += runner.peer_hits;
        self.fleet.misses += runner.misses;
        self.runners.push(runner);
    }

    pub(super) fn finish(&mut self) {
        let fleet = &mut self.fleet;
        fleet.hit_rate = hit_rate(fleet);
        fleet.calls_saved = fleet.requests.saturating_sub(fleet.upstream_calls);
    }

    /// What is not as it should be, a line each.
    pub(super) fn compare(&self, runners: u64) -> Vec<String> {
        let (got, expected) = (&self.fleet, Totals::expected(runners));
        let (instant, late, off) = (&self.same_instant, &self.late_joiner, &self.upstream_off);
        [
            ("requests", got.requests, expected.requests),
            ("local hits", got.local_hits, expected.local_hits),
            ("peer hits", got.peer_hits, expected.peer_hits),
            ("misses", got.misses, expected.misses),
            (
                "upstream calls",
                got.upstream_calls,
                expected.upstream_calls,
            ),
            (
                "requests at the same instant",
                instant.requests,
                QUESTIONS * runners,
            ),
            ("upstream calls for them", instant.upstream_calls, QUESTIONS),
            ("peer hits of the late joiner", late.peer_hits, QUESTIONS),
            ("upstream calls of the late joiner", late.upstream_calls, 0),
            (
                "answers with GitHub switched off",
                off.requests,
                2 * QUESTIONS * (runners + 1),
            ),
        ]
        .into_iter()
        .filter(|(_, got, expected)| got != expected)
        .map(|(what, got, expected)| format!("{what}: {got}, and it should be {expected}"))
        .collect()
    }

    pub(super) fn table(&self) -> String {
        let header = [
            "",
            "requests",
            "local hits",
            "peer hits",
            "misses",
            "hit rate",
            "upstream calls",
        ];
        let mut table = show::table(header, &[1, 2, 3, 4, 5, 6]);
        let runners = self.runners.iter().enumerate();
        let rows = runners.map(|(index, totals)| (format!("runner {}", index + 1), totals));
        for (name, totals) in rows.chain([("fleet".to_owned(), &self.fleet)]) {
            table.add_row([
                name,
                totals.requests.to_string(),
                totals.local_hits.to_string(),
                totals.peer_hits.to_string(),
                totals.misses.to_string(),
                show::percent(totals.hit_rate),
                totals.upstream_calls.to_string(),
            ]);
        }
        format!(
            "{}\n\n\
             {} calls to GitHub where {} were asked for: {} saved.\n\
             All at the same instant: {} requests for {QUESTIONS} new URLs, {} calls to GitHub.\n\
             One more runner, late: {} of {} answered by its peers, {} calls to GitHub.\n\
             GitHub switched off: {} of {} answered as before, {} of them marked as stale.",
            show::lines(&table),
            self.fleet.upstream_calls,
            self.fleet.requests,
            show::percent(self.fleet.calls_saved as f64 / self.fleet.requests.max(1) as f64),
            self.same_instant.requests,
            self.same_instant.upstream_calls,
            self.late_joiner.peer_hits,
            self.late_joiner.requests,
            self.late_joiner.upstream_calls,
            self.upstream_off.requests,
            2 * QUESTIONS * (self.runners.len() as u64 + 1),
            self.upstream_off.stale,
        )
    }
}

impl Sub for Act {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            peer_hits: self.peer_hits - before.peer_hits,
            stale: self.stale - before.stale,
            upstream_calls: self.upstream_calls - before.upstream_calls,
        }
    }
}

impl Totals {
    /// What a fleet of so many runners has to come to: one miss a question, and everything else
    /// answered without a call.
    pub(super) fn expected(runners: u64) -> Self {
        let mut expected = Self {
            requests: QUESTIONS * (runners + 1),
            local_hits: QUESTIONS,
            peer_hits: QUESTIONS * (runners - 1),
            misses: QUESTIONS,
            upstream_calls: QUESTIONS,
            calls_saved: QUESTIONS * runners,
            hit_rate: 0.0,
        };
        expected.hit_rate = hit_rate(&expected);
        expected
    }
}

fn hit_rate(totals: &Totals) -> f64 {
    let hits = totals.local_hits + totals.peer_hits;
    hits as f64 / (hits + totals.misses).max(1) as f64
}

#[cfg(test)]
mod tests;
