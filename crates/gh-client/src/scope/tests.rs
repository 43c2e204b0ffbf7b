//! Who is known, and where answers are filed.

use cache_core::notes::Bell;

use super::*;

const ME: Scope = Scope::from_digest([1; 16]);
const YOU: Scope = Scope::from_digest([2; 16]);

const NOW: MeshTime = MeshTime::from_millis(1_700_000_000_000);

fn scopes(sharing: Sharing) -> Scopes {
    let views = Views::new(Bell::default());
    Scopes::new(PrincipalKey::new([7; 32]), sharing, views)
}

fn observe(scopes: &Scopes, status: u16) {
    scopes.observe(ME, StatusCode::from_u16(status).unwrap(), NOW);
}

#[test]
fn each_token_has_a_scope_of_its_own_and_a_fleet_one_for_all() {
    let token = scopes(Sharing::Token);
    assert_eq!((token.scope_of(ME), token.scope_of(YOU)), (ME, YOU));
    let fleet = scopes(Sharing::Fleet);
    assert_eq!(fleet.scope_of(ME), fleet.scope_of(YOU));
    assert_ne!(fleet.scope_of(ME), Scope::PUBLIC);
    assert_eq!(fleet.scope_of(Scope::PUBLIC), Scope::PUBLIC);
}

#[test]
fn a_fleet_knows_those_to_whom_github_has_said_yes() {
    let fleet = scopes(Sharing::Fleet);
    assert_eq!(fleet.standing(Scope::PUBLIC, NOW), Standing::Known);
    for refusal in [401, 403, 404, 500] {
        observe(&fleet, refusal);
        assert_eq!(fleet.standing(ME, NOW), Standing::Unproven, "{refusal}");
    }
    for yes in [200, 201, 304] {
        observe(&fleet, yes);
        assert_eq!(fleet.standing(ME, NOW), Standing::Known, "{yes}");
        assert_eq!(fleet.standing(YOU, NOW), Standing::Unproven);
        fleet.refuse(ME, Family::of(["/x"]), NOW);
        assert_eq!(fleet.standing(ME, NOW), Standing::Unproven);
    }
}

#[test]
fn a_fleet_takes_nobody_for_good_for_longer_than_an_hour() {
    let fleet = scopes(Sharing::Fleet);
    observe(&fleet, 200);
    for (seconds, standing) in [(3599, Standing::Known), (3600, Standing::Unproven)] {
        let later = NOW.saturating_add(Duration::from_secs(seconds));
        assert_eq!(fleet.standing(ME, later), standing, "{seconds}");
    }
}

#[test]
fn a_token_that_github_refuses_is_shown_nothing_until_it_says_yes_again() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        let scopes = scopes(sharing);
        observe(&scopes, 200);
        observe(&scopes, 401);
        assert_eq!(scopes.standing(ME, NOW), Standing::Unproven);
        observe(&scopes, 304);
        assert_eq!(scopes.standing(ME, NOW), Standing::Known);
    }
}

#[test]
fn a_view_that_has_ended_is_not_restored_by_another_answer() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        let scopes = scopes(sharing);
        let [lost, other] = ["/x", "/y"].map(|path| Family::of([path]));
        scopes.refuse(ME, lost, NOW);
        observe(&scopes, 200);
        scopes.show(ME, other, NOW);
        assert_eq!(scopes.standing_at(ME, lost, NOW), Standing::Unproven);
        assert_eq!(scopes.standing_at(ME, other, NOW), Standing::Known);
        scopes.show(ME, lost, NOW);
        assert_eq!(scopes.standing_at(ME, lost, NOW), Standing::Known);
    }
}
