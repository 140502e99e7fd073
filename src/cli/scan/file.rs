//! The file that a scan writes: whole, or not at all, and never over what a person wrote.

use std::path::{Path, PathBuf};

use crate::config::ProcessEnvironment;
use crate::rules::{self, RuleSet, TagPattern};
use crate::scan::{self, Approved, REVIEW, TableProposal};
use crate::text::Sources;

/// A file to write.
pub(super) struct File {
    path: PathBuf,
    /// Its name in the rules, where it is one of their files.
    rule_name: Option<String>,
    /// What stands in it.
    text: Option<String>,
    /// Lines that are a person's.
    approved: Vec<Approved>,
}

impl File {
    /// Looks at it before anything is asked of the database.
    pub(super) fn open(path: &Path, rules: &Path) -> Result<File, String> {
        let wrong = |why: &str| format!("error: cannot write `{}`: {why}", path.display());
        let Some(name) = path.file_name() else { return Err(wrong("it is no file")) };
        let parent = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return Err(wrong("it is no file")),
        };
        let parent = parent
            .canonicalize()
            .map_err(|error| wrong(&format!("its folder `{}`: {error}", parent.display())))?;
        let mut true_path = parent.join(name);
        // Written through a link, not over it.
        if let Ok(target) = true_path.canonicalize() {
            true_path = target;
        }
        let text = match std::fs::read_to_string(&true_path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(wrong(&error.to_string())),
        };
        let mut approved = Vec::new();
        if let Some(text) = &text {
            if !scan::is_ours(text) {
                return Err(wrong(
                    "it exists, and `scrim scan` did not write it; name a new file, or one that scan wrote",
                ));
            }
            approved = scan::approved(text).map_err(|why| wrong(&why))?;
        }
        let is_yaml = true_path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        let below = rules.canonicalize().ok().and_then(|rules| {
            true_path.strip_prefix(rules).map(|below| below.display().to_string()).ok()
        });
        let rule_name = below.filter(|_| is_yaml);
        Ok(File { path: true_path, rule_name, text, approved })
    }

    /// A person has approved a tag of the column in this file.
    pub(super) fn has_approved(&self, relation: &str, column: &str) -> bool {
        self.approved.iter().any(|line| line.relation == relation && line.column == column)
    }

    /// True for the name of this file among those of the rules.
    pub(super) fn is_rule_file(&self, name: &str) -> bool {
        self.rule_name.as_deref() == Some(name)
    }

    /// Writes it, and says what was done.
    pub(super) fn write(
        self,
        proposals: &[TableProposal],
        rules: &RuleSet,
    ) -> Result<String, String> {
        let wrong = |why: &str| format!("error: cannot write `{}`: {why}", self.path.display());
        let new = match &self.text {
            Some(text) => scan::update(text, proposals).map_err(|why| wrong(&why))?,
            None => scan::new_file(proposals),
        };
        self.loads(&new, rules).map_err(|why| wrong(&why))?;
        let role = rules.roles.iter().find(|(_, role)| {
            let masks = role.masks.iter().map(|rule| &rule.pattern);
            masks.chain(role.lookup.iter().map(|(pattern, _)| pattern)).any(is_of_proposals)
        });
        if let Some((name, _)) = role {
            return Err(wrong(&format!(
                "role `{name}` has a line for tags below `review`, so that proposals would be in force at once"
            )));
        }
        if self.text.as_deref() == Some(new.as_str()) {
            return Ok(format!("\n{} is as it should be", self.path.display()));
        }
        // A scan takes its time, in which somebody may have approved a line.
        if std::fs::read_to_string(&self.path).ok() != self.text {
            return Err(wrong("it has been changed meanwhile; run the scan again"));
        }
        put(&self.path, &new).map_err(|error| wrong(&error.to_string()))?;
        Ok(format!("\nwritten: {}", self.path.display()))
    }

    /// INVARIANT: what is written loads beside the rules that exist.
    fn loads(&self, text: &str, rules: &RuleSet) -> Result<(), String> {
        let mut sources = Sources::default();
        if self.rule_name.is_some() {
            for (_, source) in
                rules.sources.iter().filter(|(_, source)| !self.is_rule_file(&source.name))
            {
                sources.add(source.name.clone(), source.text.clone());
            }
        }
        sources.add(self.rule_name.clone().unwrap_or_else(|| "scan".into()), text);
        rules::load(sources, &ProcessEnvironment).map(drop).map_err(|(_, found)| {
            let first = found.first().map(|found| found.message.clone()).unwrap_or_default();
            format!("the rules would not load with it: {first}")
        })
    }
}

fn is_of_proposals(pattern: &TagPattern) -> bool {
    match pattern {
        TagPattern::Rest => false,
        TagPattern::Prefix(tag) => tag == "review" || tag.starts_with(REVIEW),
    }
}

/// Beside it first: who reads the rules meanwhile sees the old file or the new one. A name that begins with a dot is none of
/// the rules'.
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let done = std::fs::write(&beside, text).and_then(|()| {
        if let Ok(metadata) = std::fs::metadata(path) {
            std::fs::set_permissions(&beside, metadata.permissions())?;
        }
        std::fs::rename(&beside, path)
    });
    if done.is_err() {
        // What is left of it is of no use; that it could not be written is said already.
        let _ = std::fs::remove_file(&beside);
    }
    done
}
