//! Who is known, and where answers are filed.

use super::*;

const ME: Scope = Scope::from_digest([1; 16]);
const YOU: Scope = Scope::from_digest([2; 16]);

fn scopes(sharing: Sharing) -> Scopes {
    Scopes::new(PrincipalKey::new([7; 32]), sharing)
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
    assert_eq!(fleet.standing(Scope::PUBLIC), Standing::Known);
    for refusal in [401, 403, 404, 500] {
        fleet.observe(ME, StatusCode::from_u16(refusal).unwrap());
        assert_eq!(fleet.standing(ME), Standing::Unproven, "{refusal}");
    }
    for yes in [200, 201, 304] {
        fleet.observe(ME, StatusCode::from_u16(yes).unwrap());
        assert_eq!(fleet.standing(ME), Standing::Known, "{yes}");
        assert_eq!(fleet.standing(YOU), Standing::Unproven);
        fleet.doubt(ME);
        assert_eq!(fleet.standing(ME), Standing::Unproven);
    }
}

#[test]
fn a_token_that_github_refuses_is_shown_nothing_until_it_says_yes_again() {
    for sharing in [Sharing::Token, Sharing::Fleet] {
        let scopes = scopes(sharing);
        scopes.observe(ME, StatusCode::OK);
        scopes.observe(ME, StatusCode::UNAUTHORIZED);
        assert_eq!(scopes.standing(ME), Standing::Unproven);
        scopes.observe(ME, StatusCode::NOT_MODIFIED);
        assert_eq!(scopes.standing(ME), Standing::Known);
    }
}
