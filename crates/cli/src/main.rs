//! One GitHub API call for a whole fleet of runners.

fn main() {}
