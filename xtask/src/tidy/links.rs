//! Links in Markdown that lead somewhere.

use std::collections::HashSet;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::Finding;
use super::checkout::File;

#[cfg(test)]
mod tests;

/// Checks that every link within the repository meets a file or folder that is in it, and a
/// heading where it names one.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| is_markdown(&file.path))
        .flat_map(|file| of_file(file, files))
        .collect()
}

fn of_file(file: &File, files: &[File]) -> Vec<Finding> {
    Parser::new_ext(&file.text, Options::ENABLE_TABLES)
        .into_offset_iter()
        .filter_map(|(event, range)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some((dest_url, range.start))
            }
            _ => None,
        })
        .filter_map(|(link, at)| {
            let what = broken(&link, &file.path, files)?;
            let line = file.text[..at].matches('\n').count() + 1;
            Some(Finding::wrong(&file.path, line, what))
        })
        .collect()
}

/// What is wrong with a link that stands in the file `from`.
fn broken(link: &str, from: &str, files: &[File]) -> Option<String> {
    // `https:`, `mailto:`: elsewhere, and not for us to ask.
    if link.split(['/', '#']).next()?.contains(':') || link.starts_with("//") {
        return None;
    }
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let Some(target) = resolve(path, from) else {
        return Some(format!(
            "`{link}` leads out of the repository; give the whole URL"
        ));
    };
    let within = format!("{target}/");
    let file = files.iter().find(|file| file.path == target);
    if file.is_none() && !target.is_empty() && !files.iter().any(|f| f.path.starts_with(&within)) {
        return Some(format!(
            "`{link}` leads nowhere; {target} is not in the repository"
        ));
    }
    let file = file.filter(|file| !heading.is_empty() && is_markdown(&file.path))?;
    (!headings(&file.text).contains(heading))
        .then(|| format!("`{link}` leads nowhere; {target} has no such heading"))
}

/// The path that `link` means in the file `from`, both from the root; `None` where it leaves it.
fn resolve(link: &str, from: &str) -> Option<String> {
    if link.is_empty() {
        return Some(from.to_owned());
    }
    let (mut parts, link): (Vec<&str>, _) = match link.strip_prefix('/') {
        Some(link) => (Vec::new(), link),
        None => (from.split('/').collect(), link),
    };
    // The file's own name, where the link is not from the root.
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The anchors that GitHub gives the headings of a page.
fn headings(text: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap_or_default());
                let repeated = (1..).map(|n| format!("{anchor}-{n}"));
                let free = std::iter::once(anchor.clone())
                    .chain(repeated)
                    .find(|anchor| !anchors.contains(anchor));
                anchors.extend(free);
            }
            _ => {}
        }
    }
    anchors
}

fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn is_markdown(path: &str) -> bool {
    path.ends_with(".md")
}
