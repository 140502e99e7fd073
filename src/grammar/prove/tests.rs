//! Cases for the walker.
