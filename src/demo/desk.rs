//! The sample support desk: database, rules and configuration, in places of their own that are removed at the end.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::wire::certificates::make_certificates;

use super::postgres::{PostgresError, PostgresOptions, PrivatePostgres};

/// The sample database: a support desk. A script for psql; it makes the logins too, but sets no passwords.
pub const SAMPLE_SQL: &str = include_str!("sample.sql");

/// The name of the sample database.
pub const DATABASE: &str = "desk";

/// The service account, by which Scrim logs in.
pub const SERVICE_LOGIN: &str = "scrim";

/// The key of the sample's pseudonyms, as public as its passwords.
pub const SAMPLE_PSEUDONYM_KEY: &str = "the key of the sample support desk is public";

/// Logins of the sample database. Their passwords, like those of the users, are `<name>-demo`.
const LOGINS: [&str; 2] = [SERVICE_LOGIN, "svc_support"];

/// The sample rules, so that the binary works from anywhere.
pub const SAMPLE_RULES: &[(&str, &str)] = &[
    ("10-open.yaml", include_str!("../../masking-rules/10-open.yaml")),
    ("20-customers.yaml", include_str!("../../masking-rules/20-customers.yaml")),
    ("30-support-desk.yaml", include_str!("../../masking-rules/30-support-desk.yaml")),
    ("40-roles.yaml", include_str!("../../masking-rules/40-roles.yaml")),
    ("50-users.yaml", include_str!("../../masking-rules/50-users.yaml")),
];

/// The tests of the sample rules, below `tests/` of their folder.
pub const SAMPLE_RULE_TESTS: &[(&str, &str)] = &[
    ("customers.yaml", include_str!("../../masking-rules/tests/customers.yaml")),
    ("desk.yaml", include_str!("../../masking-rules/tests/desk.yaml")),
];

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

/// A private PostgreSQL with the sample database, and a folder with everything that `scrim run` reads.
#[derive(Debug)]
pub struct Desk {
    server: PrivatePostgres,
    /// Below the server's own, so that it goes with it.
    folder: PathBuf,
}

impl Desk {
    /// Starts the server, loads the sample and writes the configuration, by which Scrim listens on `listen`.
    pub fn open(listen: &str) -> Result<Desk, PostgresError> {
        Desk::open_with(listen, &PostgresOptions::default())
    }

    /// The same on a server with further settings.
    pub fn open_with(listen: &str, options: &PostgresOptions) -> Result<Desk, PostgresError> {
        let server = PrivatePostgres::start(options)?;
        load_desk(&server)?;
        let folder = server.make_folder("scrim")?;
        server.make_folder("scrim/masking-rules")?;
        server.make_folder("scrim/masking-rules/tests")?;
        server.make_folder("scrim/certs")?;
        for (name, text) in SAMPLE_RULES {
            write(&folder.join("masking-rules").join(name), text)?;
        }
        for (name, text) in SAMPLE_RULE_TESTS {
            write(&folder.join("masking-rules/tests").join(name), text)?;
        }
        make_certificates(&folder.join("certs")).map_err(|source| {
            PostgresError::io("make certificates", std::io::Error::other(source))
        })?;
        let key = folder.join("pseudonym.key");
        write(&key, SAMPLE_PSEUDONYM_KEY)?;
        std::fs::set_permissions(&key, Permissions::from_mode(0o600))
            .map_err(|source| PostgresError::io("close the key to others", source))?;
        write(&folder.join("scrim.yaml"), &configuration(listen, server.port()))?;
        Ok(Desk { server, folder })
    }

    /// The private server.
    pub fn server(&self) -> &PrivatePostgres {
        &self.server
    }

    /// `scrim.yaml`, with the rules beside it; the audit trail will be there too.
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("scrim.yaml")
    }

    /// The audit trail.
    pub fn audit_file(&self) -> PathBuf {
        self.folder.join("audit.jsonl")
    }

    /// The authority that signed the certificate Scrim shows: for `sslrootcert`.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("certs/ca.crt")
    }

    /// The folder in which all files of the desk lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

fn configuration(listen: &str, port: u16) -> String {
    let password = sample_password(SERVICE_LOGIN);
    format!(
        "listen: {listen}\n\
         database:\n  host: 127.0.0.1\n  port: {port}\n  user: {SERVICE_LOGIN}\n  \
         password: {password}\n  name: {DATABASE}\n  tls: disable\n\
         rules: masking-rules\n\
         tls:\n  mode: allow\n  certificate: certs/server.crt\n  key: certs/server.key\n\
         audit:\n  file: audit.jsonl\n\
         secrets:\n  pseudonym_key_file: pseudonym.key\n"
    )
}

fn write(file: &Path, text: &str) -> Result<(), PostgresError> {
    std::fs::write(file, text)
        .map_err(|source| PostgresError::io(&format!("write {}", file.display()), source))
}
