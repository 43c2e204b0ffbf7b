//! Where the links in an answer lead.

use http::header::{self, HeaderMap, HeaderValue};

use crate::base_url::BaseUrl;

/// Makes links to other pages, and redirects, that lead to the API lead to `origin` instead:
/// `Link` and `Location`. Links to anywhere else, and bodies, stay as they are.
///
/// A client that followed them to GitHub itself would leave the cache on page 2.
pub fn lead_to(origin: &str, upstream: &BaseUrl, headers: &mut HeaderMap) {
    let theirs = format!("{}{}", upstream.origin(), upstream.path());
    for name in [header::LINK, header::LOCATION] {
        let rewritten: Vec<HeaderValue> = headers
            .get_all(&name)
            .iter()
            .map(|value| {
                let text = value.to_str().ok().map(|text| led(text, &theirs, origin));
                text.and_then(|text| text.parse().ok())
                    .unwrap_or_else(|| value.clone())
            })
            .collect();
        headers.remove(&name);
        for value in rewritten {
            headers.append(&name, value);
        }
    }
}

/// Replaces a URL's beginning wherever it is one, and not the beginning of a longer host.
fn led(text: &str, theirs: &str, ours: &str) -> String {
    let mut parts = text.split(theirs);
    let mut rewritten = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_end = part.is_empty() || part.starts_with(['/', '?', '>']);
        rewritten.push_str(if is_end { ours } else { theirs });
        rewritten.push_str(part);
    }
    rewritten
}

#[cfg(test)]
mod tests;
