//! How much of a corpus of foreign SQL is refused for parsing: `cargo xtask parse-rate DIR`.
//!
//! Every relation is given the name of one that exists, so that only the reading is measured: what the rules say of
//! functions, types and kinds of statements is another matter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pg_query::{NodeRef, protobuf::node::Node};

use crate::harness;

/// What was asked, and what came of it.
#[derive(Default)]
struct Rate {
    all: usize,
    refused: BTreeMap<String, (usize, String)>,
}

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn the_rate_of_a_corpus() {
    let Some(folder) = std::env::var_os("SCRIM_CORPUS") else {
        // Not a corpus, but what it would be measured by.
        let mut rate = Rate::default();
        rate.measure("\\d x\nSELECT a FROM b; SELECT c, 'x;y' FROM s.d WHERE $1 = 2; CREATE TABLE t (); SELEKT");
        assert_eq!((rate.all, rate.refused.len()), (2, 0));
        return;
    };
    let mut rate = Rate::default();
    for file in files(Path::new(&folder)) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        rate.measure(&String::from_utf8_lossy(&bytes));
    }
    let refused: usize = rate.refused.values().map(|(count, _)| count).sum();
    for (why, (count, sample)) in &rate.refused {
        println!("{count:>6}  {why}\n          {sample}");
    }
    let percent = refused as f64 * 100.0 / rate.all.max(1) as f64;
    println!("{refused} of {} queries are refused for parsing: {percent:.2} %", rate.all);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "sql") => {
                    files.push(path);
                }
                false => {}
            }
        }
    }
    files.sort();
    files
}

impl Rate {
    fn measure(&mut self, text: &str) {
        // Commands of psql stand on lines of their own, or end one.
        let lines = text.lines().map(|line| line.split_once('\\').map_or(line, |(sql, _)| sql));
        let text: String = lines.collect::<Vec<_>>().join("\n");
        for statement in pg_query::split_with_scanner(&text).unwrap_or_default() {
            let Some(query) = with_known_names(statement) else { continue };
            self.all += 1;
            if let Err(why) = harness::core::read(&query) {
                let entry = self.refused.entry(why).or_default();
                entry.0 += 1;
                if entry.1.is_empty() || query.len() < entry.1.len() {
                    entry.1 = query.split_whitespace().collect::<Vec<_>>().join(" ");
                }
            }
        }
    }
}

/// A query, with a relation that exists in the place of each; `None` for what is no query.
fn with_known_names(statement: &str) -> Option<String> {
    let parsed = pg_query::parse(statement, 0).ok()?;
    let node = parsed.protobuf.stmts.first()?.stmt.as_ref()?.node.as_ref()?;
    match node {
        Node::SelectStmt(_) | Node::DeclareCursorStmt(_) => {}
        _ => return None,
    }
    let nodes = parsed.protobuf.nodes();
    // What writes is no query, wherever it stands.
    let writes = |node: &NodeRef<'_>| {
        matches!(
            node,
            NodeRef::InsertStmt(_)
                | NodeRef::UpdateStmt(_)
                | NodeRef::DeleteStmt(_)
                | NodeRef::MergeStmt(_)
                | NodeRef::IntoClause(_)
        )
    };
    if nodes.iter().any(|(node, ..)| writes(node)) {
        return None;
    }
    let ctes: Vec<&str> = nodes
        .iter()
        .filter_map(|(node, ..)| match node {
            NodeRef::CommonTableExpr(cte) => Some(cte.ctename.as_str()),
            _ => None,
        })
        .collect();
    let mut places: Vec<(usize, bool, &str)> = nodes
        .iter()
        .filter_map(|(node, ..)| match node {
            NodeRef::RangeVar(relation)
                if !relation.schemaname.is_empty()
                    || !ctes.contains(&relation.relname.as_str()) =>
            {
                let place = usize::try_from(relation.location).ok()?;
                Some((place, relation.alias.is_none(), relation.relname.as_str()))
            }
            _ => None,
        })
        .collect();
    places.sort_unstable();
    places.dedup();
    let tokens = pg_query::scan(statement).ok()?.tokens;
    let mut query = statement.to_owned();
    for (place, bare, name) in places.into_iter().rev() {
        let mut last = tokens.iter().position(|token| token.start as usize == place)?;
        while tokens
            .get(last + 1)
            .is_some_and(|token| &statement[token.start as usize..token.end as usize] == ".")
        {
            last += 2;
        }
        let alias =
            if bare { format!(" AS \"{}\"", name.replace('"', "\"\"")) } else { String::new() };
        query.replace_range(
            place..tokens.get(last)?.end as usize,
            &format!("public.customers{alias}"),
        );
    }
    pg_query::parse(&query, 0).is_ok().then_some(query)
}
