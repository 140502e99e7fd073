//! The lists in `tests/catalogs`: what each server has, and how it was judged. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// What a server may have, with the group it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The text behind `##`.
    pub group: String,
    pub name: String,
    /// Major versions, both ends included.
    pub versions: (u32, u32),
    /// The columns of a relation, with the versions that have them.
    pub columns: Vec<(String, (u32, u32))>,
}

impl Entry {
    /// True for a group of this word: `open`, `closed`, `computes`.
    pub fn is(&self, word: &str) -> bool {
        self.group.starts_with(word)
    }

    pub fn is_in(&self, server: u32) -> bool {
        is_between(self.versions, server)
    }

    /// The columns that the server has.
    pub fn columns_in(&self, server: u32) -> BTreeSet<&str> {
        let there = self.columns.iter().filter(|(_, versions)| is_between(*versions, server));
        there.map(|(name, _)| name.as_str()).collect()
    }
}

const ALWAYS: (u32, u32) = (0, u32::MAX);

fn is_between((since, until): (u32, u32), server: u32) -> bool {
    (since..=until).contains(&server)
}

/// Reads a list of names, one a line, with versions behind them: `pg_get_acl 18-`.
pub fn names(text: &str) -> Vec<Entry> {
    read(text, |line| {
        let (name, range) = match line.rsplit_once(' ') {
            Some((name, range)) if range.contains('-') && !name.ends_with(',') => (name, range),
            _ => (line, ""),
        };
        (name.to_owned(), versions(range), Vec::new())
    })
}

/// Reads a list of relations with their columns: `pg_locks: pid mode waitstart[14-]`; what is indented goes on.
pub fn relations(text: &str) -> Vec<Entry> {
    let unfolded = text.replace("\n    ", " ");
    read(&unfolded, |line| {
        let (relation, columns) = line.split_once(": ").unwrap_or((line, ""));
        let (name, range) = marked(relation);
        let columns = columns.split_whitespace().map(marked).collect();
        (name, range, columns)
    })
}

fn read(
    text: &str,
    of: impl Fn(&str) -> (String, (u32, u32), Vec<(String, (u32, u32))>),
) -> Vec<Entry> {
    let mut group = String::new();
    let mut entries = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            group = heading.to_owned();
        } else if !line.is_empty() && !line.starts_with('#') {
            let (name, versions, columns) = of(line);
            entries.push(Entry { group: group.clone(), name, versions, columns });
        }
    }
    entries
}

/// `name[14-]`.
fn marked(text: &str) -> (String, (u32, u32)) {
    match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((name, range)) => (name.to_owned(), versions(range)),
        None => (text.to_owned(), ALWAYS),
    }
}

/// `14-`, `-16`, `14-16`; nothing is always.
fn versions(range: &str) -> (u32, u32) {
    if range.is_empty() {
        return ALWAYS;
    }
    let (since, until) = range.split_once('-').unwrap_or_else(|| panic!("no versions: `{range}`"));
    let number = |text: &str, default| match text {
        "" => default,
        text => text.parse().unwrap_or_else(|_| panic!("no version: `{text}`")),
    };
    (number(since, ALWAYS.0), number(until, ALWAYS.1))
}

/// What differs between a list and the server, in words that say what to do.
pub fn differences(list: &str, judged: &BTreeSet<&str>, there: &BTreeSet<&str>) -> Vec<String> {
    let unjudged =
        there.difference(judged).map(|name| format!("nobody has judged {name} ({list})"));
    let gone = judged.difference(there).map(|name| format!("this server has no {name} ({list})"));
    unjudged.chain(gone).collect()
}

/// Names that stand more than once.
pub fn doubles<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *count.entry(name).or_default() += 1;
    }
    count.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect()
}

#[test]
fn lists_are_read() {
    let entries = names(
        "# head\n\n## closed: why\na\nb 14-\nc(x, y) 14-16\nd(x, y)\ne(time with time zone)\n",
    );
    let shown: Vec<(&str, (u32, u32))> =
        entries.iter().map(|entry| (entry.name.as_str(), entry.versions)).collect();
    assert_eq!(
        shown,
        [
            ("a", ALWAYS),
            ("b", (14, u32::MAX)),
            ("c(x, y)", (14, 16)),
            ("d(x, y)", ALWAYS),
            ("e(time with time zone)", ALWAYS)
        ]
    );
    assert!(entries.iter().all(|entry| entry.is("closed")));
    let entries = relations("## open: x\ns.r[-16]: a b[14-]\n    c\ns.q\n");
    assert_eq!(entries[0].columns_in(13), BTreeSet::from(["a", "c"]));
    assert_eq!(entries[0].columns_in(14), BTreeSet::from(["a", "b", "c"]));
    assert_eq!((entries[0].is_in(16), entries[0].is_in(17)), (true, false));
    assert_eq!(entries[1].name, "s.q");
}
