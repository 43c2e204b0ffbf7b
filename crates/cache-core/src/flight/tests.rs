//! One leads, the others wait; a lead that dies hands the duty on.

use super::*;

fn lead(flights: &Flights<u32>, key: Key) -> Lead<u32> {
    match flights.join(key) {
        Turn::Lead(lead) => lead,
        Turn::Wait(_) => panic!("somebody else leads"),
    }
}

fn wait(flights: &Flights<u32>, key: Key) -> Landing<u32> {
    match flights.join(key) {
        Turn::Lead(_) => panic!("nobody leads"),
        Turn::Wait(landing) => landing,
    }
}

#[tokio::test]
async fn all_who_wait_get_what_the_first_brings() {
    let (flights, key) = (Flights::new(), Key::public(["k"]));
    let first = lead(&flights, key);
    let landings = [first.landing(), wait(&flights, key), wait(&flights, key)];
    first.land(7);
    for landing in landings {
        assert_eq!(landing.wait().await, Some(7));
    }
}

#[tokio::test]
async fn another_key_is_another_flight() {
    let flights = Flights::new();
    let _first = lead(&flights, Key::public(["a"]));
    lead(&flights, Key::public(["b"]));
}

#[tokio::test]
async fn a_lead_that_dies_wakes_the_others_and_the_first_of_them_leads() {
    let (flights, key) = (Flights::new(), Key::public(["k"]));
    let first = lead(&flights, key);
    let landing = wait(&flights, key);
    drop(first);
    assert_eq!(landing.wait().await, None);
    let second = lead(&flights, key);
    let landing = wait(&flights, key);
    second.land(8);
    assert_eq!(landing.wait().await, Some(8));
}

#[tokio::test]
async fn a_flight_that_has_landed_does_not_end_the_next() {
    let (flights, key) = (Flights::new(), Key::public(["k"]));
    let first = lead(&flights, key);
    // Land as `land` does, with the next flight starting before the lead is dropped.
    flights.under_way.remove(&key);
    let _second = lead(&flights, key);
    drop(first);
    wait(&flights, key);
}
