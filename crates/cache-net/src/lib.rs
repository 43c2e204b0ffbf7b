//! A libp2p transport for cache-core.
