//! A private PostgreSQL with the sample support desk, for `scrim demo` and for the tests.
