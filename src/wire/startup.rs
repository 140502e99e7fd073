//! The untyped messages before login.
