//! Fuzz targets: what each feeds, and by what it is judged. `cargo xtask fuzz TARGET` runs one.
//!
//! Everything but libFuzzer's own macros is plain Rust: without `cfg(fuzzing)` a target is a program that runs the
//! files it is given, by which a finding is run again, and the tests run all pages through each.
//!
//! | target | what it is fed | what judges |
//! | --- | --- | --- |
//! | [`rewrite`] | texts, spliced of pages | PostgreSQL's tree of what would be sent, walked without the prover |
//! | [`rewrite_live`] | the same | PostgreSQL: the login may not read what is protected; and marks |
//! | [`travelling`] | the same | PostgreSQL: masks put on as rows pass give what masks in SQL give |
//! | [`grammar_agree`] | the same | canonical text is canonical; the prover does not panic |
//! | [`frontend_frames`], [`backend_frames`] | frames that lie | whole or in drips is the same; pgwire agrees |

pub mod assigned;
pub mod backend_frames;
pub mod desk;
pub mod dice;
pub mod frames;
pub mod frontend_frames;
pub mod grammar_agree;
pub mod live;
mod nothing;
pub mod oracle;
pub mod pages;
pub mod rewrite;
pub mod rewrite_live;
pub mod splice;
pub mod stand_in;
pub mod statistics;
pub mod travelling;

#[path = "../../tests/suite/canary.rs"]
#[allow(missing_docs, dead_code)]
pub mod canary;

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// The `main` of a target: `text` targets are mutated by tokens, `bytes` targets as libFuzzer does.
#[macro_export]
macro_rules! target {
    (text, $run:path) => {
        $crate::target!(bytes, $run);

        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8],
                                              size: usize,
                                              max_size: usize,
                                              seed: u32| {
            $crate::splice::mutate(data, size, max_size, seed)
        });
    };
    (bytes, $run:path) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $run(data));

        #[cfg(not(fuzzing))]
        fn main() -> std::process::ExitCode {
            $crate::replay($run)
        }
    };
}

/// Runs a target over the files named by the arguments: findings, again.
#[expect(clippy::print_stderr, reason = "a program for people")]
pub fn replay(run: fn(&[u8])) -> std::process::ExitCode {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        eprintln!("name the files to run; `cargo xtask fuzz TARGET` looks for new ones");
        return std::process::ExitCode::FAILURE;
    }
    for file in files {
        match std::fs::read(&file) {
            Ok(data) => run(&data),
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                return std::process::ExitCode::FAILURE;
            }
        }
        eprintln!("{}: nothing found", file.display());
    }
    std::process::ExitCode::SUCCESS
}
