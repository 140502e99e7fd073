//! A program that does not outlive this process, however this process ends: a small shell between the two ends it
//! when the kernel closes the shell's standard input.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// `$1` is the folder for what the program prints, `$2` the name of the files, the rest is the program. `ended` appears
/// when it has ended.
const KEEPER: &str = r#"
folder=$1; name=$2; shift 2
( "$@" </dev/null >"$folder/$name.out" 2>"$folder/$name.err" & echo $! >"$folder/$name.pid"; wait $!
  echo $? >"$folder/ended" ) &
job=$!
while [ ! -s "$folder/$name.pid" ]; do sleep 0.01; done
read -r line
pid=$(cat "$folder/$name.pid")
kill -TERM "$pid" 2>/dev/null
( sleep 5; kill -KILL "$pid" 2>/dev/null ) & killer=$!
wait "$job"
kill "$killer" 2>/dev/null
"#;

/// A program that runs, with a folder for what it prints. Dropping it ends the program, politely.
#[derive(Debug)]
pub struct KeptProgram {
    keeper: Child,
    folder: PathBuf,
    name: &'static str,
}

impl KeptProgram {
    /// Starts it. `NAME.out`, `NAME.err` and `NAME.pid` will be in the folder, which is one program's alone.
    pub fn start<Argument: AsRef<OsStr>>(
        folder: &Path,
        name: &'static str,
        program: &Path,
        arguments: &[Argument],
    ) -> std::io::Result<KeptProgram> {
        let file = |ending| folder.join(format!("{name}.{ending}"));
        for stale in [file("pid"), file("out"), file("err"), folder.join("ended")] {
            // Of an earlier run in this folder; mostly there is none.
            let _ = std::fs::remove_file(stale);
        }
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "sh"])
            .arg(folder)
            .arg(name)
            .arg(program)
            .args(arguments)
            // Ctrl-C in a terminal goes to the whole group; who started us decides when the program ends.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(KeptProgram { keeper, folder: folder.to_owned(), name })
    }

    /// Its process, once the shell has said so.
    pub fn pid(&self) -> Option<u32> {
        self.read("pid").trim().parse().ok()
    }

    /// True when the process has ended, by itself or by an accident.
    pub fn has_ended(&self) -> bool {
        self.folder.join("ended").exists()
    }

    /// What it has written to standard output so far.
    pub fn output(&self) -> String {
        self.read("out")
    }

    /// What it has written to standard error so far, and to standard output.
    pub fn said(&self) -> String {
        format!("{}{}", self.read("err"), self.read("out")).trim().to_owned()
    }

    fn read(&self, ending: &str) -> String {
        let file = self.folder.join(format!("{}.{ending}", self.name));
        std::fs::read_to_string(file).unwrap_or_default()
    }
}

impl Drop for KeptProgram {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
