use super::*;

#[test]
fn a_server_starts_answers_and_leaves_nothing_behind() {
    let server = PrivatePostgres::start(&PostgresOptions::default()).expect("server");
    assert_eq!(server.run("postgres", "SELECT 6 * 7").expect("answer"), "42\n");

    server.create_database("one \"odd\" name", None).expect("database");
    let list = server.run("postgres", "SELECT datname FROM pg_database").expect("answer");
    assert!(list.contains("one \"odd\" name"), "{list}");

    let error = server.run("postgres", "SELECT 1/0; SELECT 1").expect_err("division by zero");
    assert!(error.to_string().contains("division by zero"), "{error}");

    // Over TCP nobody gets in without a password.
    let folder = server.socket_folder().to_owned();
    let output = Command::new(server.clients().join("psql"))
        .args(["-X", "-w", "-h", "127.0.0.1", "-U", SUPERUSER, "-c", "SELECT 1", "postgres", "-p"])
        .arg(server.port().to_string())
        .env_remove("PGPASSWORD")
        .env("PGPASSFILE", "/dev/null")
        .output()
        .expect("psql");
    assert!(!output.status.success());

    server.halt().expect("halt");
    assert!(server.run("postgres", "SELECT 1").is_err());
    server.resume().expect("resume");
    assert_eq!(server.run("postgres", "SELECT 1").expect("answer"), "1\n");

    drop(server);
    assert!(!folder.exists(), "{} is still there", folder.display());
}

#[test]
fn a_setting_that_the_server_refuses_is_told() {
    let options = PostgresOptions {
        settings: BTreeMap::from([("no_such_setting".to_owned(), "1".to_owned())]),
        ..PostgresOptions::default()
    };
    let error = PrivatePostgres::start(&options).expect_err("an unknown setting");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}
