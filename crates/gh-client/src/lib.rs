//! GitHub's API behind a cache that peers share.
