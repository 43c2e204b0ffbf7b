//! What Rust code here does without: silenced lints, skipped tests, unfinished code, queues
//! without a bound.
//!
//! It looks at tokens, not at text, so comments and strings may name what code may not do.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::Finding;
use super::checkout::File;

#[cfg(test)]
mod tests;

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| file.is_rust())
        .flat_map(of_file)
        .collect()
}

fn of_file(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    match file.text.parse() {
        Ok(tokens) => scan(tokens, &mut found),
        Err(error) => found.push((error.span().start().line, "is not Rust; mend it")),
    }
    found
        .into_iter()
        .map(|(line, what)| Finding::wrong(&file.path, line, what))
        .collect()
}

fn scan(stream: TokenStream, found: &mut Vec<(usize, &'static str)>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let what = match token {
            TokenTree::Punct(hash) if hash.as_char() == '#' => attribute(&tokens[at + 1..]),
            TokenTree::Ident(_) => {
                unfinished(&tokens[at..]).or_else(|| unbounded(&tokens[..at], &tokens[at..]))
            }
            _ => None,
        };
        if let Some(what) = what {
            found.push((token.span().start().line, what));
        }
        if let TokenTree::Group(group) = token {
            scan(group.stream(), found);
        }
    }
}

/// Judges an attribute by what follows its `#`.
fn attribute(rest: &[TokenTree]) -> Option<&'static str> {
    let rest = match rest {
        [bang, inner @ ..] if is_punct(bang, '!') => inner,
        outer => outer,
    };
    let TokenTree::Group(brackets) = rest.first()? else {
        return None;
    };
    if brackets.delimiter() != Delimiter::Bracket {
        return None;
    }
    within_attribute(brackets)
}

fn within_attribute(group: &Group) -> Option<&'static str> {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let TokenTree::Ident(name) = tokens.first()? else {
        return None;
    };
    match name.to_string().as_str() {
        "allow" => Some("`allow` hides for ever; use `expect` with a reason, or mend the code"),
        "ignore" => Some("a test that is skipped proves nothing; mend it or take it out"),
        "expect" if !mentions(group.stream(), "reason") => {
            Some("`expect` without a reason; say why the lint is wrong here")
        }
        // `cfg_attr(test, allow(…))`: what is switched on stands behind the first comma.
        "cfg_attr" => {
            let TokenTree::Group(switched) = tokens.get(1)? else {
                return None;
            };
            let inside: Vec<TokenTree> = switched.stream().into_iter().collect();
            inside
                .split(|token| is_punct(token, ','))
                .skip(1)
                .find_map(|part| {
                    within_attribute(&Group::new(Delimiter::None, part.iter().cloned().collect()))
                })
        }
        _ => None,
    }
}

fn unfinished(tokens: &[TokenTree]) -> Option<&'static str> {
    let [TokenTree::Ident(name), bang, TokenTree::Group(_), ..] = tokens else {
        return None;
    };
    if !is_punct(bang, '!') {
        return None;
    }
    match name.to_string().as_str() {
        "todo" | "unimplemented" => Some("unfinished code; finish it or leave it out"),
        "dbg" => Some("`dbg!` is for the desk; use tracing, or take it out"),
        _ => None,
    }
}

fn unbounded(before: &[TokenTree], tokens: &[TokenTree]) -> Option<&'static str> {
    const WHAT: &str = "a queue without a bound; give it one, and say what happens there";
    let TokenTree::Ident(name) = tokens.first()? else {
        return None;
    };
    let of_module = match before {
        [.., TokenTree::Ident(module), colon, colons]
            if is_punct(colon, ':') && is_punct(colons, ':') =>
        {
            Some(module.to_string())
        }
        _ => None,
    };
    let without_bound = match name.to_string().as_str() {
        "unbounded_channel" | "UnboundedSender" | "UnboundedReceiver" => true,
        // futures, flume, crossbeam, async-channel.
        "unbounded" => of_module.is_some(),
        // The standard library's. Tokio's takes its bound as an argument.
        "channel" => of_module.as_deref() == Some("mpsc") && is_called_with_nothing(&tokens[1..]),
        _ => false,
    };
    without_bound.then_some(WHAT)
}

/// Whether `()` follows, after type arguments or at once.
fn is_called_with_nothing(tokens: &[TokenTree]) -> bool {
    let mut open = 0_usize;
    for token in tokens {
        match token {
            TokenTree::Punct(punct) => match punct.as_char() {
                '<' => open += 1,
                '>' => open = open.saturating_sub(1),
                ':' => {}
                _ if open == 0 => return false,
                _ => {}
            },
            TokenTree::Group(group) if open == 0 => {
                return group.delimiter() == Delimiter::Parenthesis && group.stream().is_empty();
            }
            _ if open == 0 => return false,
            _ => {}
        }
    }
    false
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn mentions(stream: TokenStream, wanted: &str) -> bool {
    stream.into_iter().any(|token| match token {
        TokenTree::Ident(name) => name == wanted,
        TokenTree::Group(group) => mentions(group.stream(), wanted),
        _ => false,
    })
}
