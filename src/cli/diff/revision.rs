//! Rules as a git revision has them, by the program `git`: nothing is checked out.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::config::ProcessEnvironment;
use crate::rules::{self, RuleSet};
use crate::text::{Sources, render};

/// The rules of `revision:path`, where `path` may be relative to `folder` (`./`).
///
/// # Errors
/// What is wrong with git, the revision or the rules, ready to be shown.
pub(super) fn load(folder: &Path, revision: &str, path: &str) -> Result<RuleSet, String> {
    let spec = format!("{revision}:{path}");
    if revision.is_empty() || revision.starts_with('-') {
        return Err(format!("error: `{revision}` is no git revision"));
    }
    let tree = git(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &spec])
        .map_err(|why| match why.is_empty() {
            true => format!("error: git knows no folder `{spec}`"),
            false => format!("error: git knows no folder `{spec}`: {why}"),
        })?;
    let tree = String::from_utf8_lossy(&tree).trim().to_owned();
    let listed = git(folder, &["ls-tree", "-r", "-z", "--full-tree", &tree]);
    let listed = listed.map_err(|why| format!("error: git cannot list `{spec}`: {why}"))?;
    let mut files = Vec::new();
    for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let entry = String::from_utf8(entry.to_vec())
            .map_err(|_| format!("error: a name in `{spec}` is no UTF-8"))?;
        let (head, name) = entry.split_once('\t').unwrap_or_default();
        let mut head = head.split(' ');
        if is_rules(name) {
            match (head.next(), head.next(), head.next()) {
                (Some("100644" | "100755"), Some("blob"), Some(id)) => {
                    files.push((name.to_owned(), id.to_owned()))
                }
                _ => {
                    return Err(format!(
                        "error: `{name}` in `{spec}` is no plain file, and git does not follow links"
                    ));
                }
            }
        }
    }
    if files.is_empty() {
        return Err(format!("error: there is no *.yaml file in `{spec}`"));
    }
    // As in a folder: by path, part by part.
    files.sort_by(|(one, _), (other, _)| Path::new(one).cmp(Path::new(other)));
    let mut sources = Sources::default();
    for (name, id) in files {
        let text = git(folder, &["cat-file", "blob", &id]);
        let text =
            text.map_err(|why| format!("error: git cannot read `{name}` of `{spec}`: {why}"))?;
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text).to_vec();
        let text = String::from_utf8(text)
            .map_err(|_| format!("error: `{name}` of `{spec}` is no text in UTF-8"))?;
        sources.add(name, text);
    }
    rules::load(sources, &ProcessEnvironment).map(|(rules, _)| rules).map_err(|(sources, found)| {
        format!("{}\n\nerror: the rules of `{spec}` are broken", render(&sources, &found, false))
    })
}

/// As `load_rules` chooses: not what is below `tests`, and nothing that begins with a dot.
fn is_rules(name: &str) -> bool {
    let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
    let (folders, _) = name.rsplit_once('/').unwrap_or_default();
    is_yaml
        && !name.split('/').any(|part| part.starts_with('.'))
        && !folders.split('/').any(|part| part == "tests")
}

/// What git prints; the error is what it complains of.
fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "the program `git` is not installed".to_owned(),
        _ => format!("cannot run `git`: {error}"),
    })?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_rules;

    #[test]
    fn the_same_files_as_in_a_folder() {
        for (name, expected) in [
            ("10-open.yaml", true),
            ("a/b.yml", true),
            ("tests.yaml", true),
            ("tests/a.yaml", false),
            ("a/tests/b/c.yaml", false),
            (".hidden.yaml", false),
            ("a/.git/b.yaml", false),
            ("README.md", false),
        ] {
            assert_eq!(is_rules(name), expected, "{name}");
        }
    }
}
