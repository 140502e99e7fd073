//! The walls of the house: with one crate the compiler keeps none between rooms, so this test reads `use` lines.
//!
//! The map and its arrows stand in `src/lib.rs`; [`MAY_USE`] repeats them, and a difference is a decision to be made
//! in both places.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each room and the rooms it may use. `cli` may use all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("rules", &["text"]),
    ("catalog", &[]),
    ("grammar", &[]),
    ("mask", &["catalog", "rules"]),
    ("grants", &["policy", "rules"]),
    ("ledger", &["grants", "policy", "rules", "upstream"]),
    ("policy", &["mask", "catalog", "rules", "grammar", "text"]),
    ("forms", &["mask", "rules"]),
    ("scan", &["forms", "rules", "text"]),
    ("sql", &["policy", "catalog", "grammar", "rules", "text"]),
    ("changes", &["policy", "catalog", "rules", "text"]),
    ("report", &["catalog", "changes", "guard", "policy", "rules", "text"]),
    ("explain", &["catalog", "changes", "grammar", "grants", "policy", "rules", "sql", "text"]),
    ("wire", &[]),
    ("guard", &["forms", "policy", "catalog", "rules", "wire"]),
    ("audit", &["upstream"]),
    ("http", &[]),
    ("tokens", &["http"]),
    ("upstream", &["wire", "catalog"]),
    ("pool", &["upstream", "wire"]),
    (
        "config",
        &[
            "audit",
            "ledger",
            "mask",
            "pool",
            "rules",
            "telemetry",
            "text",
            "tokens",
            "upstream",
            "wire",
        ],
    ),
    (
        "session",
        &[
            "audit",
            "catalog",
            "config",
            "grammar",
            "guard",
            "ledger",
            "metrics",
            "policy",
            "pool",
            "rules",
            "shadow",
            "sql",
            "telemetry",
            "text",
            "tokens",
            "upstream",
            "wire",
        ],
    ),
    ("shadow", &["catalog", "changes", "metrics", "policy", "rules", "sql", "text"]),
    ("metrics", &[]),
    ("telemetry", &["http"]),
    ("admin", &["metrics"]),
    (
        "console",
        &[
            "audit", "catalog", "changes", "config", "explain", "grammar", "grants", "ledger",
            "policy", "pool", "report", "rules", "session", "sql", "text", "trials", "upstream",
        ],
    ),
    (
        "service",
        &[
            "admin",
            "audit",
            "config",
            "console",
            "grants",
            "ledger",
            "metrics",
            "rules",
            "session",
            "shadow",
            "telemetry",
            "text",
        ],
    ),
    (
        "trials",
        &["audit", "config", "metrics", "rules", "session", "shadow", "text", "upstream", "wire"],
    ),
    ("demo", &["wire"]),
];

/// Rooms of values: no clock, no I/O, no async, no logging, no dice.
const PURE: &[&str] = &[
    "text", "rules", "catalog", "grammar", "mask", "policy", "forms", "scan", "changes", "explain",
    "report", "sql", "guard", "grants",
];

/// What no pure room may hold, apart from its tests.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "ToSocketAddrs",
    "std::time",
    "std::env",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "async fn",
    "async move",
    ".await",
    "rand::",
    "tracing",
    "println!",
    "::now(",
];

struct File {
    room: String,
    name: String,
    /// Without comments, strings' insides left alone, and without what stands below `#[cfg(test)]`.
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files of all rooms; tests in files of their own are left out.
fn files() -> Vec<File> {
    let source = root().join("src");
    let mut found = Vec::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.file_stem().is_none_or(|stem| stem != "tests")
                && !path.components().any(|part| part.as_os_str() == "tests")
            {
                let below = path.strip_prefix(&source).expect("below src");
                let first = below.components().next().expect("a name").as_os_str();
                let room = Path::new(first).file_stem().expect("a name").to_string_lossy();
                found.push(File {
                    room: room.into_owned(),
                    name: below.display().to_string(),
                    code: code(&std::fs::read_to_string(&path).expect("source")),
                });
            }
        }
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found
}

fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text.lines().map(|line| {
        let comment = line.trim_start().starts_with("//");
        let cut = line.find(" // ").unwrap_or(line.len());
        if comment { "" } else { &line[..cut] }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Rooms named by `crate::room` anywhere, `use crate::{a, b}` among them.
fn rooms_used(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => {
                rooms.insert(word(rest));
            }
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (at, character) in list.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && c.is_alphanumeric() => {
                            rooms.insert(word(&list[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    rooms
}

#[test]
fn a_room_uses_only_what_stands_below_it() {
    let mut wrong = Vec::new();
    let known = |room: &str| MAY_USE.iter().find(|(name, _)| *name == room);
    for file in files() {
        if matches!(file.room.as_str(), "cli" | "lib" | "main") {
            continue;
        }
        let Some((_, allowed)) = known(&file.room) else {
            wrong.push(format!("{}: room `{}` is not on the map", file.name, file.room));
            continue;
        };
        for used in rooms_used(&file.code) {
            let is_room = known(&used).is_some() || used == "cli";
            if is_room && used != file.room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: `{}` may not use `{used}`", file.name, file.room));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point upward:\n{}", wrong.join("\n"));
}

#[test]
fn pure_rooms_are_pure() {
    let mut wrong = Vec::new();
    for file in files().iter().filter(|file| PURE.contains(&file.room.as_str())) {
        for (number, line) in file.code.lines().enumerate() {
            for impure in IMPURE.iter().filter(|impure| line.contains(**impure)) {
                wrong.push(format!("{}:{}: `{impure}` in `{line}`", file.name, number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The map in lib.rs and the folders are the same rooms.
#[test]
fn the_map_names_every_room() {
    let library = std::fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    for (room, _) in MAY_USE {
        assert!(library.contains(&format!("pub mod {room};")), "`{room}` is no module of lib.rs");
    }
    for line in library.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let room = line.trim_end_matches(';');
        let known = room == "cli" || MAY_USE.iter().any(|(name, _)| *name == room);
        assert!(known, "`{room}` has no entry in MAY_USE");
    }
}

/// A dependency that nobody uses is a licence, a build and a door for nothing.
#[test]
fn every_dependency_is_used() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let (_, rest) = manifest.split_once("\n[dependencies]\n").expect("dependencies");
    let section = rest.split("\n[").next().unwrap_or_default();
    let source: String = files().into_iter().map(|file| file.code).collect();
    let mut unused = Vec::new();
    for line in section.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, _)) = line.split_once('=') {
            let path = name.trim().replace('-', "_");
            let used = [format!("{path}::"), format!("use {path};")];
            if !used.iter().any(|used| source.contains(used.as_str())) {
                unused.push(path);
            }
        }
    }
    assert!(unused.is_empty(), "in Cargo.toml, but in no `use`: {}", unused.join(", "));
}

#[test]
fn the_reader_of_use_lines_reads() {
    let used =
        rooms_used("use crate::{policy::{A, B}, wire, sql::C};\nlet x = crate::text::nearest();");
    assert_eq!(used, ["policy", "wire", "sql", "text"].map(String::from).into());
    assert!(!code("a\n// tokio\nb // tokio\n#[cfg(test)]\ntokio").contains("tokio"));
}
