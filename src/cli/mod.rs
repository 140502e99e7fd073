//! The commands, a file each. Arguments in, one call, an exit code out.

pub mod audit;
pub mod check;
pub mod demo;
pub mod diff;
pub mod explain;
pub mod grant;
mod live;
pub mod password;
pub mod report;
pub mod run;
pub mod scan;
pub mod schema;
pub mod shadow;
pub mod test;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A role-based data-masking proxy for PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "scrim", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Example:\n  scrim demo        a sample database to try everything on\n  \
                        scrim scan        what do the columns hold?\n  \
                        scrim check       is everything well with the rules?\n  \
                        scrim test        do they show what they should, and no more?\n  \
                        scrim run         the proxy\n  \
                        scrim report      who saw what?")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Demo(demo::DemoArgs),
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Scan(scan::ScanArgs),
    Test(test::TestArgs),
    Diff(diff::DiffArgs),
    Report(report::ReportArgs),
    Shadow(shadow::ShadowArgs),
    Audit(audit::AuditArgs),
    Grant(grant::GrantArgs),
    Schema(schema::SchemaArgs),
    Password(password::PasswordArgs),
}

impl Cli {
    /// Runs the command, on a runtime with the threads that it wants.
    pub fn execute(self) -> ExitCode {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Command::Run(args) = &self.command
            && let Some(workers) = args.workers()
        {
            runtime.worker_threads(workers);
        }
        match runtime.enable_all().build() {
            Ok(runtime) => runtime.block_on(self.run()),
            Err(error) => {
                complain(&format!("error: the system gives no threads: {error}"));
                ExitCode::FAILURE
            }
        }
    }

    async fn run(self) -> ExitCode {
        match self.command {
            Command::Run(args) => args.run().await,
            Command::Demo(args) => args.run().await,
            Command::Check(args) => args.run().await,
            Command::Explain(args) => args.run().await,
            Command::Scan(args) => args.run().await,
            Command::Test(args) => args.run().await,
            Command::Diff(args) => args.run().await,
            Command::Report(args) => args.run().await,
            Command::Shadow(args) => args.run().await,
            Command::Audit(args) => args.run().await,
            Command::Grant(args) => args.run().await,
            Command::Schema(args) => args.run(),
            Command::Password(args) => args.run(),
        }
    }
}

/// What was asked for, on standard output. A reader that has gone away (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// What went wrong, on standard error.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
