//! Whose keys are whose.

use super::*;

fn members(n: u8) -> Vec<PeerId> {
    (0..n).map(|n| PeerId::from_bytes(&[n]).unwrap()).collect()
}

fn key(n: u32) -> Key {
    Key::public([n.to_le_bytes()])
}

#[test]
fn all_agree_in_whatever_order_they_see_each_other() {
    let members = members(7);
    let reversed: Vec<_> = members.iter().rev().copied().collect();
    for n in 0..100 {
        let order = in_order(&key(n), members.iter().copied());
        assert_eq!(order, in_order(&key(n), reversed.iter().copied()));
        assert_eq!(order.len(), members.len());
    }
}

#[test]
fn each_owns_about_its_share() {
    let members = members(5);
    for member in &members {
        let owned = (0..1000)
            .filter(|n| in_order(&key(*n), members.iter().copied()).first() == Some(member))
            .count();
        assert!((140..=260).contains(&owned), "{owned} of 1000");
    }
}

#[test]
fn who_leaves_takes_nothing_away_from_the_others() {
    let all = members(6);
    let left = &all[1..];
    for n in 0..200 {
        let before = in_order(&key(n), all.iter().copied());
        let after = in_order(&key(n), left.iter().copied());
        let expected: Vec<_> = before
            .into_iter()
            .filter(|owner| *owner != all[0])
            .collect();
        assert_eq!(after, expected);
    }
}
