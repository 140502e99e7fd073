//! Arguments in, one call, an exit code out.

use std::process::ExitCode;

use clap::Parser;
use scrim::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().execute()
}
