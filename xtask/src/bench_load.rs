//! The first load script: pgbench direct, through an untouched role, through a masked role.

use crate::Outcome;
use crate::needs;
use crate::run;

/// Builds for speed and hands over to `benches/load/pgbench.sh`, which runs inside the demo. Arguments go to it.
pub fn run(arguments: &[String]) -> Outcome {
    needs::compiler()?;
    needs::postgres()?;
    run::succeed(&mut run::cargo(&["build", "--release", "--bin", "scrim"]))?;
    let mut demo = std::process::Command::new(run::target().join("release/scrim"));
    demo.args(["demo", "--", "sh", "benches/load/pgbench.sh"]).args(arguments);
    run::succeed(demo.current_dir(run::root()))
}
