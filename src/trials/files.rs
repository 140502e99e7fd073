//! The files of the tests: a folder and what is below it, or one file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::case::Case;
use super::read::read_cases;
use crate::config::{ProcessEnvironment, read_text};
use crate::rules::RuleSet;
use crate::text::reader::Reader;
use crate::text::{Diagnostic, Sources, render, yaml};

/// More files than a team writes: somebody named the wrong folder.
const FILES_MAX: usize = 1000;

/// The cases, with what they stand in.
#[derive(Debug)]
pub struct Found {
    /// In the order of the files, and in theirs.
    pub cases: Vec<Case>,
}

/// Reads every `*.yaml` and `*.yml` of a folder and below, or one file. With `rules`, roles and users have to be theirs.
///
/// # Errors
/// All that is wrong with the files, drawn.
pub fn find_cases(path: &Path, rules: Option<&RuleSet>) -> Result<Found, String> {
    let mut files = Vec::new();
    match path.metadata() {
        Ok(what) if what.is_dir() => walk(path, &mut BTreeSet::new(), &mut files)?,
        Ok(_) => files.push(path.to_owned()),
        Err(error) => {
            return Err(format!(
                "error: cannot read the tests `{}`: {error}\n  `scrim test DIR` names another folder, or a file",
                path.display()
            ));
        }
    }
    if files.is_empty() {
        return Err(format!(
            "error: there is no *.yaml file in `{}`, so there is nothing to test",
            path.display()
        ));
    }
    if files.len() > FILES_MAX {
        return Err(format!(
            "error: there are more than {FILES_MAX} files in `{}`",
            path.display()
        ));
    }
    files.sort();
    let mut sources = Sources::default();
    let mut cases = Vec::new();
    let mut found: Vec<Diagnostic> = Vec::new();
    for file in &files {
        let text = read_text(file).map_err(|reason| {
            format!("error: cannot read the tests `{}`: {reason}", file.display())
        })?;
        let id = sources.add(file.display().to_string(), text);
        // One for each file: an error in one says nothing about the others.
        let mut reader = Reader::new(&ProcessEnvironment);
        match yaml::parse(&sources, id) {
            Ok(document) => read_cases(&mut reader, &sources, &document, rules, &mut cases),
            Err(complaints) => found.extend(complaints),
        }
        found.extend(reader.finish().0);
    }
    match found.is_empty() {
        true => Ok(Found { cases }),
        false => Err(render(&sources, &found, false)),
    }
}

fn walk(
    folder: &Path,
    seen: &mut BTreeSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let failed = |error: std::io::Error| {
        format!("error: cannot read the folder `{}`: {error}", folder.display())
    };
    // Links may go round in circles.
    if !seen.insert(folder.canonicalize().map_err(failed)?) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        match path.metadata() {
            _ if is_hidden => {}
            Ok(what) if what.is_dir() => walk(&path, seen, files)?,
            Ok(what) if what.is_file() && is_yaml => files.push(path),
            Ok(_) if is_yaml => {
                return Err(format!("error: `{}` is no plain file", path.display()));
            }
            Err(error) if is_yaml => return Err(failed(error)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}
