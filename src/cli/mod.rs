//! The commands, a file each. Arguments in, one call, an exit code out.

pub mod demo;

use std::io::Write as _;

/// What was asked for, on standard output. A reader that has gone away (`| head`) is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// What went wrong, on standard error.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
