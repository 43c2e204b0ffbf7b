//! `ghmesh stats --fleet`: all members in one table.

use anyhow::Context;
use comfy_table::Table;

use super::{duration, lines, percent, table, why_no_peers};
use crate::out;
use crate::report::{Counters, Fleet, NodeStats};

/// So much of a peer id tells members apart. They all begin alike.
const SHOWN_OF_ID: usize = 10;

/// Prints how all members stand that a node knows of.
pub(super) fn print(stats: &NodeStats) -> anyhow::Result<()> {
    let fleet = stats.fleet.as_ref();
    let fleet = fleet.context("the node told nothing of its fleet; is it of an older release?")?;
    out::line(lines(&members(fleet)))?;
    let totals = &fleet.totals;
    let share = totals.api_calls_saved as f64 / totals.requests.max(1) as f64;
    out::line(format_args!(
        "\n{} of {} requests answered without a call to GitHub: {} saved.",
        totals.api_calls_saved,
        totals.requests,
        percent(share)
    ))?;
    if fleet.members.len() == 1 {
        out::line(why_no_peers(stats))?;
    }
    Ok(())
}

fn members(fleet: &Fleet) -> Table {
    let header = [
        "member",
        "requests",
        "local hits",
        "peer hits",
        "misses",
        "hit rate",
        "calls made",
        "calls saved",
        "entries",
        "as of",
    ];
    let mut table = table(header, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for member in &fleet.members {
        let skipped = member.peer_id.len().saturating_sub(SHOWN_OF_ID);
        let id = member.peer_id.get(skipped..).unwrap_or(&member.peer_id);
        let as_of = match (member.is_local, member.age_seconds) {
            (true, _) => "this node".to_owned(),
            (false, 0) => "now".to_owned(),
            (false, age) => format!("{} ago", duration(age)),
        };
        table.add_row(row(format!("…{id}"), &member.counters, as_of));
    }
    if fleet.past_members > 0 {
        let gone = format!("{} gone", fleet.past_members);
        table.add_row(row(gone, &fleet.past, String::new()));
    }
    table.add_row(row("fleet".to_owned(), &fleet.totals, String::new()));
    table
}

fn row(name: String, counters: &Counters, as_of: String) -> [String; 10] {
    [
        name,
        counters.requests.to_string(),
        counters.hits.to_string(),
        counters.peer_hits.to_string(),
        counters.misses.to_string(),
        percent(counters.hit_rate),
        counters.api_calls_made.to_string(),
        counters.api_calls_saved.to_string(),
        counters.entries.to_string(),
        as_of,
    ]
}
