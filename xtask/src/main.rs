//! The chores of this repository: `cargo xtask help` lists them.
//!
//! Uses nothing but the standard library, so that it builds before anything that it installs is there.

mod bench;
mod cases;
mod ci;
mod dice;
mod driver_suites;
mod fuzz;
mod needs;
mod parse_rate;
mod readme;
mod run;
mod servers;
mod soak;
mod tests;

use std::process::ExitCode;

/// A chore failed; the text says why and what to do.
pub type Outcome = Result<(), String>;

/// The chores, with what `help` says about them.
pub const CHORES: &[(&str, &str)] = &[
    ("demo", "a private PostgreSQL with the sample database, Scrim in front, users to try"),
    ("test", "all tests; --servers all: the suite on every PostgreSQL; the rest goes to cargo"),
    ("cases", "the statement cases; --update writes the tables that the pages should show"),
    ("fuzz-sql", "random statements against the masked copy; --seconds N, --seed S"),
    (
        "fuzz-messages",
        "random messages, legal or not, against PostgreSQL's own answers; --seconds N, --seed S",
    ),
    ("fuzz", "libFuzzer: TARGET [--seconds N]; without a TARGET it says which there are"),
    (
        "driver-suites",
        "asyncpg's, psycopg2's, pg8000's and SQLAlchemy's own tests, also through Scrim; or one's, in one mode",
    ),
    ("parse-rate", "the share of the queries in a folder of *.sql that is refused for parsing"),
    ("soak", "500 clients for 30 minutes, every answer looked at; --minutes N, --clients N"),
    (
        "ci",
        "all that must hold: format, lints, tests on three servers (--servers), documentation, licences",
    ),
    ("bench", "Scrim, PgBouncer and PostgreSQL alone in one run, with ratios and plots; --help"),
    ("certs", "certificates for the demo and the tests, into certs/"),
    ("help", "this list"),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let chore = arguments.next().unwrap_or_else(|| "help".into());
    let arguments: Vec<String> = arguments.collect();
    let outcome = match chore.as_str() {
        "demo" => demo(&arguments),
        "test" => tests::run(&arguments),
        "cases" => cases::run(&arguments),
        "fuzz-sql" => dice::run(dice::STATEMENTS, &arguments),
        "fuzz-messages" => dice::run(dice::MESSAGES, &arguments),
        "fuzz" => fuzz::run(&arguments),
        "driver-suites" => driver_suites::run(&arguments),
        "parse-rate" => parse_rate::run(&arguments),
        "soak" => soak::run(&arguments),
        "ci" => ci::run(&arguments),
        "bench" => bench::run(&arguments),
        "certs" => certs(&arguments),
        "help" | "--help" | "-h" => {
            help();
            Ok(())
        }
        other => Err(format!("unknown chore `{other}`; `cargo xtask help` lists them")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn help() {
    run::print("cargo xtask CHORE [ARGUMENTS]\n");
    for (name, what) in CHORES {
        run::print(&format!("  {name:<13} {what}"));
    }
    run::print(&format!("\n--servers: {}.", servers::CHOICES));
    run::print(
        "Other servers than the installed one come from npm, into target/servers. Where nothing is said, `test` runs",
    );
    run::print(
        "on the installed one; `ci` on the oldest and newest too, there without what does not depend on the version.",
    );
    run::print("\nExamples: cargo xtask demo");
    run::print("          cargo xtask test cases::");
    run::print("          cargo xtask test --servers oldest,newest");
    run::print("          cargo xtask ci --servers installed");
    run::print("          cargo xtask bench --quick");
}

fn demo(arguments: &[String]) -> Outcome {
    needs::compiler()?;
    needs::postgres()?;
    let mut cargo = run::cargo(&["run", "--quiet", "--bin", "scrim", "--", "demo"]);
    cargo.args(arguments);
    run::succeed(&mut cargo)
}

fn certs(arguments: &[String]) -> Outcome {
    needs::compiler()?;
    let folder = arguments.first().map_or("certs", String::as_str);
    run::succeed(&mut run::cargo(&["run", "--quiet", "--example", "certificates", "--", folder]))
}
