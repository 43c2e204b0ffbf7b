//! What a client was answered and showed, as a text in which everything that a client could notice
//! stands. Two texts are compared, and where they differ the difference can be read.

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::Output;

use flate2::read::GzDecoder;
use http::{HeaderName, Method, header};
use serde_json::Value;

use crate::tap::Exchange;

/// Headers that an answer may have or lack.
const UNSEEN: [&str; 9] = [
    // Tell how the cache came by the answer.
    "age",
    "cache-status",
    "via",
    // Say how a body is coded and framed on this connection. What it is when that is undone is
    // compared; the length is where there is no body, in `SHOWN_TO_HEAD`.
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
];

/// Headers that have to be there, whose values are of the moment.
const OF_THE_MOMENT: [&str; 6] = [
    "date",
    // A name for a version, that means something to who has given it. It is compared in its use:
    // the scenarios called `conditional` send it back.
    "etag",
    "x-github-request-id",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-used",
];

/// What a HEAD is for.
const SHOWN_TO_HEAD: HeaderName = header::CONTENT_LENGTH;

/// How the same places are called by different legs: from, to.
pub(crate) type Names = Vec<(String, String)>;

/// What a client showed to who ran it.
pub(crate) fn of_outputs(outputs: &[Output], names: &Names) -> String {
    let mut text = String::new();
    for output in outputs {
        let code = output.status.code().unwrap_or(-1);
        let _ = writeln!(text, "# exit code {code}");
        for (name, shown) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !shown.is_empty() {
                let _ = writeln!(text, "# {name}\n{}", String::from_utf8_lossy(shown));
            }
        }
    }
    renamed(text, names)
}

/// What it asked, and was answered.
pub(crate) fn of_exchanges(exchanges: &[Exchange], names: &Names) -> String {
    // Some clients ask several things at the same time.
    let mut texts: Vec<String> = exchanges.iter().map(Exchange::text).collect();
    texts.sort();
    renamed(texts.concat(), names)
}

fn renamed(text: String, names: &Names) -> String {
    let rename = |text: String, (from, to): &(String, String)| text.replace(from, to);
    names.iter().fold(text, rename)
}

/// A URL with the pairs of its query in order. A node asks with them in order, and GitHub's links
/// have them as they were asked.
fn in_order(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    format!("{path}?{}", pairs.join("&"))
}

/// `<URL>; rel="next", <URL>; rel="last"`, with each URL in order.
fn links_in_order(links: &str) -> String {
    let parts = links.split(['<', '>']).enumerate();
    let parts = parts.map(|(at, part)| match at % 2 {
        0 => part.to_owned(),
        _ => format!("<{}>", in_order(part)),
    });
    parts.collect()
}

impl Exchange {
    fn text(&self) -> String {
        let shown = self.headers.iter().filter(|(name, _)| !self.hides(name));
        let mut headers: Vec<String> = shown
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                match name.as_str() {
                    "link" => format!("< link: {}\n", links_in_order(&value)),
                    name if OF_THE_MOMENT.contains(&name) => format!("< {name}: …\n"),
                    name => format!("< {name}: {value}\n"),
                }
            })
            .collect();
        headers.sort();
        format!(
            "\n> {} {}\n< {}\n{}{}\n",
            self.method,
            in_order(&self.target),
            self.status,
            headers.concat(),
            self.shown_body()
        )
    }

    fn hides(&self, name: &HeaderName) -> bool {
        let is_shown = *name == SHOWN_TO_HEAD && self.method == Method::HEAD;
        UNSEEN.contains(&name.as_str()) && !is_shown
    }

    fn shown_body(&self) -> String {
        let body = self.decoded();
        let Ok(text) = String::from_utf8(body) else {
            return format!("{} bytes that are no text", self.body.len());
        };
        match serde_json::from_str::<Value>(&text) {
            // GitHub lays JSON out for people who ask by curl; a node has it in one form for all.
            Ok(json) if self.is_asked_by_curl() => format!("{json:#}"),
            Ok(_) => text.replace(",\"", ",\n\""),
            Err(_) => text,
        }
    }

    fn is_asked_by_curl(&self) -> bool {
        let agent = self.asked.get(header::USER_AGENT);
        agent.is_some_and(|agent| agent.as_bytes().starts_with(b"curl/"))
    }

    fn decoded(&self) -> Vec<u8> {
        let coding = self.headers.get(header::CONTENT_ENCODING);
        if coding.is_none_or(|coding| coding != "gzip") {
            return self.body.to_vec();
        }
        let mut decoded = Vec::new();
        match GzDecoder::new(&*self.body).read_to_end(&mut decoded) {
            Ok(_) => decoded,
            Err(_) => self.body.to_vec(),
        }
    }
}
