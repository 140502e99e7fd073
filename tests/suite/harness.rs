//! What the tests stand on: one PostgreSQL for the whole binary, the sample database, Scrim in front.

pub mod client;

use std::sync::OnceLock;

use scrim::demo::{PostgresOptions, PrivatePostgres};

/// The server that all tests share; each test that writes makes a database of its own.
pub fn postgres() -> &'static PrivatePostgres {
    static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        PrivatePostgres::start(&PostgresOptions::default())
            .unwrap_or_else(|error| panic!("{error}"))
    })
}

/// A server of one's own with the sample database, for what changes it.
pub fn start_desk() -> PrivatePostgres {
    let server = PrivatePostgres::start(&PostgresOptions::default())
        .unwrap_or_else(|error| panic!("{error}"));
    scrim::demo::load_desk(&server).unwrap_or_else(|error| panic!("{error}"));
    server
}
