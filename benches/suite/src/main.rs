//! What Scrim costs, side by side with PostgreSQL alone and with PgBouncer, all in one run on one machine.
//!
//! `cargo xtask bench` runs it. [`stand`] starts the processes, [`scenarios`] says what is measured, [`pgbench`] and
//! [`client`] are the clients, [`figures`] holds what came of it, [`report`] and [`plots`] show it. `load/` has the
//! statements, the data and the rules.

mod by_hand;
mod client;
mod figures;
mod machine;
mod pgbench;
mod pgbouncer;
mod plots;
mod processor;
mod report;
mod run;
mod scenarios;
mod stand;
mod statements;
mod targets;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use figures::{Run, Runs};
use machine::Machine;
use scenarios::{Effort, Scenario};
use stand::Stand;

const CUSTOMERS_QUICK: u32 = 100_000;

/// Measures Scrim, PgBouncer and PostgreSQL alone, in turn, and writes a page, plots and all figures.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench",
    after_help = "\
Examples:
  cargo xtask bench                            # everything: about an hour
  cargo xtask bench --quick                    # does it work? two minutes
  cargo xtask bench select bulk --rounds 7     # two scenarios, seven rounds

The results are DATE.md, DATE.json and DATE-*.svg. benches/README.md explains them."
)]
struct Arguments {
    /// What to measure: select, writes, latency, texts, connects, bulk, masks, tpch, idle. Nothing said: all of them.
    #[arg(value_name = "SCENARIO", value_parser = known)]
    scenarios: Vec<String>,
    /// How often the ways of a case take turns.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long a run is that goes by time.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// How many customers there are. What is masked by a regexp takes a minute a million.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..=100_000_000))]
    customers: u32,
    /// One round of a second, fewer cases, a tenth of the data: to see that it works.
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "customers"])]
    quick: bool,
    /// Where the results go; otherwise benches/results, for a quick or a partial run target/bench.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// Measure this binary of Scrim instead of building one.
    #[arg(long, value_name = "FILE")]
    scrim: Option<PathBuf>,
}

/// A scenario's name.
fn known(text: &str) -> Result<String, String> {
    let effort = Effort { rounds: 1, seconds: 1, is_quick: false, open_files: 0 };
    let names: Vec<&str> = scenarios::all(effort).iter().map(|scenario| scenario.name).collect();
    match names.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("there are {}", names.join(", "))),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments) {
        Ok(failed) if failed.is_empty() => ExitCode::SUCCESS,
        Ok(failed) => {
            run::say(&format!("error: {} runs came to nothing; the page has them", failed.len()));
            ExitCode::FAILURE
        }
        Err(error) => {
            run::say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// All of it. Gives the runs that failed.
fn measure(arguments: &Arguments) -> Result<Vec<String>, String> {
    let load_before = machine::load();
    let binary = match &arguments.scrim {
        Some(binary) => std::path::absolute(binary).map_err(|error| error.to_string())?,
        None => build()?,
    };
    let (rounds, seconds) =
        if arguments.quick { (1, 1) } else { (arguments.rounds, arguments.seconds) };
    let open_files = raise_limit();
    let effort = Effort { rounds, seconds, is_quick: arguments.quick, open_files };
    let mut scenarios = scenarios::all(effort);
    let wanted = &arguments.scenarios;
    scenarios.retain(|it| wanted.is_empty() || wanted.iter().any(|name| name == it.name));
    run::print("starting PostgreSQL, PgBouncer and Scrim");
    let stand =
        Stand::start(&binary, if arguments.quick { CUSTOMERS_QUICK } else { arguments.customers })?;
    by_hand::check(&stand)?;
    let mut machine = Machine::look(stand.server(), &binary, load_before);
    if arguments.scrim.is_some() {
        machine.commit = "of a binary that was given (--scrim)".into();
    }
    let (mut runs, mut failed) = (Runs::default(), Vec::new());
    for scenario in &scenarios {
        run_scenario(&stand, scenario, effort, &mut runs, &mut failed)?;
    }
    machine.load_after = machine::load();
    drop(stand);
    let folder = arguments.into.clone().unwrap_or_else(|| {
        let whole = !arguments.quick && wanted.is_empty();
        run::root().join(if whole { "benches/results" } else { "target/bench" })
    });
    write(&folder, &scenarios, effort, &runs, &machine, &failed)?;
    Ok(failed)
}

/// Every case, its ways in turn; one that fails is noted, and the others go on.
fn run_scenario(
    stand: &Stand,
    scenario: &Scenario,
    effort: Effort,
    runs: &mut Runs,
    failed: &mut Vec<String>,
) -> Result<(), String> {
    run::print(&format!("\n{}", scenario.title));
    let rounds = if scenario.is_once { 1 } else { effort.rounds };
    for round in 1..=rounds {
        for case in &scenario.cases {
            // Another way begins each round, so that none always comes behind the same one.
            let ways = case.ways.iter().cycle().skip(round as usize - 1).take(case.ways.len());
            for way in ways {
                let name = format!("{round}/{rounds}  {}  {}", case.name, way.name);
                match (way.measure)(stand) {
                    Ok(figures) => {
                        let shown = figures.iter().map(|(quantity, value)| {
                            format!("{} {}", report::short(*value), quantity.heading(scenario.unit))
                        });
                        let shown: Vec<String> = shown.collect();
                        run::print(&format!("  {name}: {}", shown.join(", ")));
                        runs.0.push(Run {
                            scenario: scenario.name.into(),
                            case: case.name.clone(),
                            way: way.name.into(),
                            round,
                            figures,
                        });
                    }
                    Err(error) => {
                        run::say(&format!("  {name}: FAILED: {error}\n{}", stand.said()));
                        failed.push(format!("{}, {name}: {error}", scenario.title));
                    }
                }
            }
            stand.empty_audit()?;
        }
    }
    Ok(())
}

fn write(
    folder: &std::path::Path,
    scenarios: &[Scenario],
    effort: Effort,
    runs: &Runs,
    machine: &Machine,
    failed: &[String],
) -> Result<(), String> {
    let wrong =
        |file: &std::path::Path, error: std::io::Error| format!("{}: {error}", file.display());
    std::fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
    let stem = machine::today();
    let mut plots = Vec::new();
    for scenario in scenarios {
        for file in plots::draw(scenario, runs, folder, &stem)? {
            plots.push((scenario.name.to_owned(), file));
        }
    }
    let page = report::page(scenarios, effort, runs, machine, &plots, failed);
    let all = serde_json::json!({ "machine": machine, "failed": failed, "runs": runs });
    let all = serde_json::to_string_pretty(&all).map_err(|error| error.to_string())?;
    for (ending, text) in [("md", page), ("json", all + "\n")] {
        let file = folder.join(format!("{stem}.{ending}"));
        std::fs::write(&file, text).map_err(|error| wrong(&file, error))?;
        run::print(&format!("wrote {}", file.display()));
    }
    Ok(())
}

/// Scrim as it is shipped.
fn build() -> Result<PathBuf, String> {
    run::print("building Scrim");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--release", "--package", "scrim", "--bin", "scrim"]);
    let status = command.current_dir(run::root()).status();
    match status.map_err(|error| format!("cannot run cargo: {error}"))?.success() {
        true => {}
        false => return Err("Scrim does not build".into()),
    }
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| run::root().join("target"), PathBuf::from);
    Ok(target.join("release/scrim"))
}

/// Lets us, and the proxies that we start, have as many connections as the system allows. Gives how many.
fn raise_limit() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Without the right to it, what we have counts.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
