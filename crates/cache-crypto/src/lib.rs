//! Sealing for cache-core: AES-256-GCM under keys that are derived from one secret.
