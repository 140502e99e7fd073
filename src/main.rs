//! Arguments in, one call, an exit code out.

use std::process::ExitCode;

use clap::Parser;
use scrim::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
