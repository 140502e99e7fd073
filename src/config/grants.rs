//! `grants:` of `scrim.yaml`.

use std::path::{Path, PathBuf};

use crate::text::Diagnostic;
use crate::text::reader::Reader;
use crate::text::yaml::Node;

pub(super) const KEYS: [&str; 1] = ["store"];

/// Reads it; the path is relative to `folder`.
pub(super) fn grants(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Option<PathBuf> {
    let mut store = None;
    let mut has_store = false;
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "store" => {
                has_store = true;
                store = reader.filled_text(&entry.value);
            }
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    if !has_store {
        let diagnostic = Diagnostic::error("`grants` needs a `store`", node.span);
        reader.complain(diagnostic.help("the file in which grants are kept: `store: grants.db`"));
    }
    Some(folder.join(store?))
}
