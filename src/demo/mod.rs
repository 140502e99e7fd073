//! A private PostgreSQL with the sample support desk, for `scrim demo` and for the tests.
//!
//! Starts what it needs in folders of its own and takes all of it away again; it never touches another server.

mod desk;
mod kept;
mod postgres;
mod programs;
mod running;

pub use desk::{
    DATABASE, Desk, SAMPLE_PSEUDONYM_KEY, SAMPLE_RULE_TESTS, SAMPLE_RULES, SAMPLE_SQL,
    SERVICE_LOGIN, load_desk, sample_password,
};
pub use kept::KeptProgram;
pub use postgres::{PostgresError, PostgresOptions, PrivatePostgres, SUPERUSER};
pub use running::{RunningError, RunningScrim};
