//! The files of the rules folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Unusable, read_text};
use crate::rules::{self, RuleSet};
use crate::text::reader::Environment;
use crate::text::{Diagnostic, Sources, render};

/// More files than a team writes: somebody named the wrong folder.
const FILES_MAX: usize = 1000;

/// Reads every `*.yaml` and `*.yml` of a folder and below, in the order of their names, and loads the rules; gives
/// them with their warnings. Folders named `tests` hold rule tests, and names that begin with a dot are what
/// editors and mounts leave: neither is read.
///
/// # Errors
/// All that is wrong with the folder, or else with the rules, drawn.
pub fn load_rules(
    folder: &Path,
    environment: &dyn Environment,
) -> Result<(RuleSet, Vec<Diagnostic>), Unusable> {
    let mut walk = Walk::default();
    match folder.metadata() {
        Ok(what) if what.is_dir() => walk.folder(folder),
        Ok(_) => walk.complain(format!("`{}` is no folder", folder.display())),
        Err(error) => {
            walk.complain(format!("cannot read the rules folder `{}`: {error}", folder.display()));
        }
    }
    if walk.files.is_empty() && walk.found.is_empty() {
        let message = format!("there is no *.yaml file in the rules folder `{}`", folder.display());
        walk.complain(message);
    }
    walk.files.sort();
    let mut sources = Sources::default();
    for file in &walk.files {
        let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
        match read_text(file) {
            Ok(text) => drop(sources.add(name, text)),
            Err(reason) => walk.found.push(unreadable(file, &reason)),
        }
    }
    if !walk.found.is_empty() {
        // Without all files, most complaints about the rest would be about what is missing.
        return Err(Unusable(render(&sources, &walk.found, false)));
    }
    rules::load(sources, environment)
        .map_err(|(sources, found)| Unusable(render(&sources, &found, false)))
}

/// True where there is no rules file, as on the first day: no folder, or nothing in it that [`load_rules`] would read.
pub fn is_without_rules(folder: &Path) -> bool {
    let mut walk = Walk::default();
    match folder.metadata() {
        Ok(what) if what.is_dir() => walk.folder(folder),
        Ok(_) => return false,
        Err(error) => return error.kind() == std::io::ErrorKind::NotFound,
    }
    walk.files.is_empty() && walk.found.is_empty()
}

fn unreadable(file: &Path, reason: &str) -> Diagnostic {
    Diagnostic::placeless(format!("cannot read the rules file `{}`: {reason}", file.display()))
}

#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    /// Where we have been, by true names: links may go round in circles.
    seen: BTreeSet<PathBuf>,
    found: Vec<Diagnostic>,
}

impl Walk {
    fn complain(&mut self, message: String) {
        let help = "`rules` in scrim.yaml, or `--rules`, names the folder";
        self.found.push(Diagnostic::placeless(message).help(help));
    }

    fn folder(&mut self, folder: &Path) {
        let entries = folder.canonicalize().and_then(|name| {
            let is_new = self.seen.insert(name);
            let entries = if is_new { Some(std::fs::read_dir(folder)?) } else { None };
            entries.into_iter().flatten().collect::<Result<Vec<_>, _>>()
        });
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let message =
                    format!("cannot read the rules folder `{}`: {error}", folder.display());
                self.found.push(Diagnostic::placeless(message));
                return;
            }
        };
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let is_rules = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
            match path.metadata() {
                Ok(what) if what.is_dir() => {
                    if name != "tests" {
                        self.folder(&path);
                    }
                }
                Ok(what) if is_rules && what.is_file() => self.file(path),
                // A pipe would be waited for.
                Ok(_) if is_rules => self.found.push(unreadable(&path, "it is no plain file")),
                Err(error) if is_rules => self.found.push(unreadable(&path, &error.to_string())),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: PathBuf) {
        if self.files.len() == FILES_MAX {
            self.complain(format!("there are more than {FILES_MAX} rules files"));
        }
        if self.files.len() <= FILES_MAX {
            self.files.push(path);
        }
    }
}
