//! What is offered, in which order.

use libp2p::identity::Keypair;

use super::*;

fn offered(memberships: &[[u8; 32]]) -> Vec<String> {
    let noise = noise::Config::new(&Keypair::generate_ed25519()).unwrap();
    let memberships = memberships.iter().copied().map(Membership::new);
    let offers = Handshake::new(noise, memberships).protocol_info();
    offers.map(|offer| offer.as_ref().to_owned()).collect()
}

#[test]
fn the_current_membership_comes_before_the_previous_one_and_both_before_plain_noise() {
    let [current, previous] = [[1; 32], [2; 32]].map(|key| Membership::new(key).name());
    assert_ne!(current, previous);
    let named = |name: &String| format!("/noise/{name}");
    assert_eq!(
        offered(&[[1; 32], [2; 32]]),
        [named(&current), named(&previous), "/noise".to_owned()]
    );
    assert_eq!(offered(&[[1; 32]]), [named(&current), "/noise".to_owned()]);
}

#[test]
fn a_membership_has_the_same_name_in_every_release() {
    assert_eq!(Membership::new([1; 32]).name(), "14eaf645");
}
