//! Scopes that come and go.

use super::*;

const FAMILY: [&str; 1] = ["question"];

fn key(scope: u8) -> Key {
    Key::new(Family::of(FAMILY), Scope::from_digest([scope; 16]))
}

fn scopes(families: &Families) -> Vec<Scope> {
    families.scopes(&Family::of(FAMILY))
}

#[test]
fn a_family_has_each_of_its_scopes_once() {
    let families = Families::default();
    for scope in [1, 1, 2, 2, 3, 1] {
        families.add(key(scope));
    }
    assert_eq!(scopes(&families), [1, 2, 3].map(|n| key(n).scope));
    families.remove(&key(2));
    assert_eq!(scopes(&families), [1, 3].map(|n| key(n).scope));
}

#[test]
fn a_family_without_scopes_takes_up_no_room() {
    let families = Families::default();
    families.add(key(1));
    families.remove(&key(2));
    assert_eq!(scopes(&families), [key(1).scope]);
    families.remove(&key(1));
    families.add(key(1));
    families.add(key(2));
    families.remove(&key(1));
    families.remove(&key(2));
    assert!(families.0.is_empty());
}
