//! A private PostgreSQL with the sample support desk, for `scrim demo` and for the tests.
//!
//! Starts what it needs in a folder of its own and takes all of it away again; it never touches another server.

mod postgres;

pub use postgres::{PostgresError, PostgresOptions, PrivatePostgres};

/// The sample database: a support desk. A script for psql; it makes the logins too, but sets no passwords.
pub const SAMPLE_SQL: &str = include_str!("sample.sql");

/// The name of the sample database.
pub const DATABASE: &str = "desk";

/// The service account, by which Scrim logs in.
pub const SERVICE_LOGIN: &str = "scrim";

/// Logins of the sample database. Their passwords, like those of the users, are `<name>-demo`.
const LOGINS: [&str; 2] = [SERVICE_LOGIN, "svc_support"];

/// The password of a login or user of the sample.
pub fn sample_password(name: &str) -> String {
    format!("{name}-demo")
}

/// Creates the sample database on a private server, and the logins with their passwords.
pub fn load_desk(server: &PrivatePostgres) -> Result<(), PostgresError> {
    server.create_database(DATABASE, None)?;
    server.run(DATABASE, SAMPLE_SQL)?;
    let password = |login| format!("ALTER ROLE {login} PASSWORD '{}';\n", sample_password(login));
    server.run(DATABASE, &LOGINS.map(password).concat()).map(drop)
}
