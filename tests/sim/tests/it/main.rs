//! Fleets of all sizes, by their seeds.
