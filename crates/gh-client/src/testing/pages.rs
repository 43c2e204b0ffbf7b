//! Lists come in pages, and `Link` leads from one to the next.
//!
//! <https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api>

use std::ops::Range;

use form_urlencoded::Serializer;

use super::asked::Asked;

const DEFAULT_SIZE: usize = 30;
const MAX_SIZE: usize = 100;

/// One page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    number: usize,
    size: usize,
}

impl Page {
    /// The page that was asked for. What makes no sense is read as the default, as on GitHub.
    pub(super) fn of(asked: &Asked) -> Self {
        let positive = |name| {
            asked
                .query(name)
                .and_then(|value| value.parse::<usize>().ok())
                .filter(|&value| value > 0)
        };
        Self {
            number: positive("page").unwrap_or(1),
            size: positive("per_page").map_or(DEFAULT_SIZE, |size| size.min(MAX_SIZE)),
        }
    }

    /// Which of `total` items are on it.
    pub(super) fn range(self, total: usize) -> Range<usize> {
        let start = (self.number - 1).saturating_mul(self.size).min(total);
        start..start.saturating_add(self.size).min(total)
    }

    /// The `Link` header for a list of `total` items at `path`, which is the list's own path with
    /// ids in place of names; `None` where everything is on one page.
    pub(super) fn link(self, asked: &Asked, path: &str, total: usize) -> Option<String> {
        let last = total.div_ceil(self.size).max(1);
        let mut relations = Vec::new();
        if self.number > 1 {
            relations.push(("prev", (self.number - 1).min(last)));
        }
        if self.number < last {
            relations.push(("next", self.number + 1));
            relations.push(("last", last));
        }
        if self.number > 1 {
            relations.push(("first", 1));
        }
        if relations.is_empty() {
            return None;
        }
        let links: Vec<String> = relations
            .into_iter()
            .map(|(relation, page)| format!("<{}>; rel=\"{relation}\"", url(asked, path, page)))
            .collect();
        Some(links.join(", "))
    }
}

fn url(asked: &Asked, path: &str, page: usize) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in asked.pairs() {
        if name != "page" {
            query.append_pair(name, value);
        }
    }
    query.append_pair("page", &page.to_string());
    format!("{}{path}?{}", asked.origin(), query.finish())
}

#[cfg(test)]
mod tests;
