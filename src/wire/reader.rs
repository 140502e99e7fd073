//! Borrowed readers of message bodies.
