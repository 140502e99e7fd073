//! A private PostgreSQL with the sample support desk, for `scrim demo` and for the tests.
//!
//! Starts what it needs in a folder of its own and takes all of it away again; it never touches another server.

mod postgres;

pub use postgres::{PostgresError, PostgresOptions, PrivatePostgres};
