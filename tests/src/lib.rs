//! Whole nodes and whole fleets, tested from outside.
