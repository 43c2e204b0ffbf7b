//! Tests that have the machine for themselves, one after the other: a fleet that asks everything at
//! the same instant shares its calls as long as its members get to answer each other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod demo;
mod one_call;

use tokio::sync::Mutex;

static MACHINE: Mutex<()> = Mutex::const_new(());
