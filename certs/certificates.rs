//! Writes certificates for trying Scrim out: `cargo run --example certificates -- <folder>`.

use std::path::PathBuf;
use std::process::ExitCode;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command")]
fn main() -> ExitCode {
    let folder = std::env::args_os().nth(1);
    let folder = PathBuf::from(folder.unwrap_or_else(|| "certs".into()));
    match scrim::wire::certificates::make_certificates(&folder) {
        Ok(()) => {
            println!("wrote ca.crt, server.crt and server.key to {}", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
