//! Repositories, organisations and users by the numbers that GitHub's links have in place of names.

use http::header::{self, HeaderMap};
use moka::policy::EvictionPolicy;
use moka::sync;

/// Repositories, organisations and users whose numbers are remembered. At the bound those that were
/// not heard of for longest are forgotten, and what is made void of one of them makes more void.
const MAX_NUMBERS: u64 = 16_384;

/// Which number stands for which name in the links to further pages. Clones are the same.
#[derive(Clone)]
pub(crate) struct Numbers {
    /// By name, and the names by number.
    numbers: sync::Cache<String, String>,
    names: sync::Cache<String, String>,
}

/// Where else the answers of a path may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// Nowhere: it has one name.
    Nowhere,
    /// At the same path by the other name.
    At(String),
    /// Anywhere here: which other name it has is not known, or there are several.
    Among(&'static str),
}

impl Numbers {
    pub(crate) fn new() -> Self {
        let table = || {
            let table = sync::Cache::builder().max_capacity(MAX_NUMBERS);
            table.eviction_policy(EvictionPolicy::lru()).build()
        };
        Self {
            numbers: table(),
            names: table(),
        }
    }

    /// Takes note of the number that GitHub's links have in place of a name.
    pub(crate) fn learn(&self, path: &str, headers: &HeaderMap) {
        let Some((number_space, Some((name, _)))) = named(path) else {
            return;
        };
        let links = headers.get_all(header::LINK).iter();
        let links = links.filter_map(|link| link.to_str().ok());
        let number = links
            .filter_map(|link| link.split_once(&format!("{number_space}/")))
            .map(|(_, after)| {
                let end = after.find(|c: char| !c.is_ascii_digit());
                &after[..end.unwrap_or(after.len())]
            })
            .find(|number| !number.is_empty());
        if let Some(number) = number {
            let number = format!("{number_space}/{number}");
            self.names.insert(number.clone(), name.to_owned());
            self.numbers.insert(name.to_owned(), number);
        }
    }

    /// Where the answers of a path, and of what lies below it, may be beside that path.
    pub(crate) fn elsewhere(&self, path: &str) -> Elsewhere {
        let (among, other) = if let Some((numbers, name)) = named(path) {
            let number = name.and_then(|(name, rest)| Some((self.numbers.get(name)?, rest)));
            (numbers, number)
        } else if let Some((number, names, rest)) = numbered(path) {
            (names, self.names.get(number).map(|name| (name, rest)))
        } else {
            return Elsewhere::Nowhere;
        };
        other.map_or(Elsewhere::Among(among), |(other, rest)| {
            Elsewhere::At(format!("{other}{rest}"))
        })
    }

    /// Takes note that something was done to what is at a path. Where that has a name and a number,
    /// it may have another name from now on.
    pub(crate) fn changed(&self, path: &str) {
        let is_whole = matches!(named(path), Some((_, Some((_, "")))))
            || matches!(numbered(path), Some((_, _, "")));
        if is_whole {
            self.names.invalidate_all();
        }
    }
}

/// Where the numbers are of what may go by a number as well; its name, and the rest of the path.
/// Without a name where the path is above all names.
fn named(path: &str) -> Option<(&'static str, Option<(&str, &str)>)> {
    let mut segments = path.split('/').skip(1);
    let (names, number_space) = match segments.next()? {
        "repos" => (2, "/repositories"),
        "orgs" => (1, "/organizations"),
        "users" => (1, "/user"),
        _ => return None,
    };
    let mut ends = path.match_indices('/').map(|(at, _)| at);
    let end = ends.nth(1 + names).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let segments = name.split('/').skip(2).filter(|name| !name.is_empty());
    let is_whole = segments.count() == names;
    Some((number_space, is_whole.then_some((name, rest))))
}

/// The number in a path that may go by a name as well, where the names are, and the rest.
fn numbered(path: &str) -> Option<(&str, &'static str, &str)> {
    let mut segments = path.split('/').skip(1);
    let names = match segments.next()? {
        "repositories" => "/repos",
        "organizations" => "/orgs",
        "user" => "/users",
        _ => return None,
    };
    let number = segments.next()?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let end = path
        .match_indices('/')
        .nth(2)
        .map_or(path.len(), |(at, _)| at);
    let (number, rest) = path.split_at(end);
    is_number.then_some((number, names, rest))
}
