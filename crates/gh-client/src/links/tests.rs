//! Which links lead elsewhere, and where.

use super::*;

#[test]
fn links_lead_through_the_proxy_again_and_nothing_else_does() {
    let upstream = BaseUrl::parse("https://api.github.com").unwrap();
    let ours = "http://localhost:8417";
    let mut headers = HeaderMap::new();
    let link = "<https://api.github.com/user/repos?page=2>; rel=\"next\", \
                <https://api.github.com/user/repos?page=9>; rel=\"last\"";
    headers.insert(header::LINK, link.parse().unwrap());
    let elsewhere = "https://api.github.com.evil.example/x";
    headers.insert(header::LOCATION, elsewhere.parse().unwrap());
    lead_to(ours, &upstream, &mut headers);
    assert_eq!(
        headers[header::LINK],
        "<http://localhost:8417/user/repos?page=2>; rel=\"next\", \
         <http://localhost:8417/user/repos?page=9>; rel=\"last\""
    );
    assert_eq!(headers[header::LOCATION], elsewhere);
}

#[test]
fn links_of_an_enterprise_server_lose_its_path() {
    let upstream = BaseUrl::parse("https://ghes.corp/api/v3").unwrap();
    let ours = "http://localhost:8417";
    let mut headers = HeaderMap::new();
    let location = "https://ghes.corp/api/v3/repositories/7";
    headers.insert(header::LOCATION, location.parse().unwrap());
    lead_to(ours, &upstream, &mut headers);
    assert_eq!(
        headers[header::LOCATION],
        "http://localhost:8417/repositories/7"
    );
}
