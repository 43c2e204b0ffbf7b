//! Which answers tell the time.

use std::time::Duration;

use http::header::HeaderValue;

use super::*;

#[test]
fn a_date_tells_the_time_unless_the_answer_has_an_age() {
    let mut headers = HeaderMap::new();
    assert_eq!(upstream_time(&headers), None);
    let date = HeaderValue::from_static("Tue, 14 Nov 2023 22:13:20 GMT");
    headers.insert(header::DATE, date);
    let time = MeshTime::default().saturating_add(Duration::from_secs(1_700_000_000));
    assert_eq!(upstream_time(&headers), Some(time));
    headers.insert(header::AGE, HeaderValue::from_static("3600"));
    assert_eq!(upstream_time(&headers), None);
}
