//! The statements of all pages, as seeds and as pieces to splice.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The `sql` blocks of `tests/cases` and `tests/attacks`, once each, in order.
pub fn texts() -> &'static [String] {
    static TEXTS: OnceLock<Vec<String>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        let mut files: Vec<PathBuf> = Vec::new();
        let mut folders = vec![tests.join("cases"), tests.join("attacks")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("pages").flatten() {
                let path = entry.path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push(path),
                }
            }
        }
        files.sort();
        let mut texts: Vec<String> = Vec::new();
        for file in files {
            blocks(&std::fs::read_to_string(file).expect("a page"), &mut texts);
        }
        texts
    })
}

fn blocks(page: &str, texts: &mut Vec<String>) {
    let mut block: Option<String> = None;
    for line in page.lines() {
        match &mut block {
            Some(text) if line.trim_end() == "```" => {
                let text = text.trim_end();
                if !texts.iter().any(|known| known == text) {
                    texts.push(text.to_owned());
                }
                block = None;
            }
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
            None if line.trim_end() == "```sql" => block = Some(String::new()),
            None => {}
        }
    }
}
