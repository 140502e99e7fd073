//! A statement as a tree of texts that knows how it can be made smaller. It knows no SQL.

use std::fmt::{self, Display};

/// A piece of a statement.
#[derive(Debug, Clone)]
pub enum Sql {
    Text(String),
    All(Vec<Sql>),
    /// May be left out.
    Maybe(Box<Sql>),
    /// Items, of which `least` must stay.
    List {
        separator: &'static str,
        items: Vec<Sql>,
        least: usize,
    },
    /// May be replaced by one of the second.
    Or(Box<Sql>, Vec<Sql>),
}

/// A text.
pub fn text(text: impl Into<String>) -> Sql {
    Sql::Text(text.into())
}

/// A template whose `{}` are filled in order.
pub fn fill(template: &str, parts: Vec<Sql>) -> Sql {
    let mut pieces = template.split("{}");
    let mut all = vec![text(pieces.next().unwrap_or_default())];
    let mut parts = parts.into_iter();
    for piece in pieces {
        all.push(parts.next().unwrap_or_else(|| panic!("`{template}` wants more parts")));
        all.push(text(piece));
    }
    assert!(parts.next().is_none(), "`{template}` wants fewer parts");
    Sql::All(all)
}

/// A piece that may be left out.
pub fn maybe(part: Sql) -> Sql {
    Sql::Maybe(Box::new(part))
}

/// Items with `, ` between.
pub fn list(items: Vec<Sql>, least: usize) -> Sql {
    Sql::List { separator: ", ", items, least }
}

impl Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sql::Text(text) => f.write_str(text),
            Sql::All(parts) => parts.iter().try_for_each(|part| part.fmt(f)),
            Sql::Maybe(part) | Sql::Or(part, _) => part.fmt(f),
            Sql::List { separator, items, .. } => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(separator)?;
                    }
                    item.fmt(f)?;
                }
                Ok(())
            }
        }
    }
}

impl Sql {
    /// Every tree that is smaller by one step, the boldest steps first.
    pub fn smaller(&self) -> Vec<Sql> {
        match self {
            Sql::Text(_) => Vec::new(),
            Sql::Maybe(part) => {
                let mut all = vec![text("")];
                all.extend(part.smaller().into_iter().map(maybe));
                all
            }
            Sql::Or(part, instead) => {
                let mut all = instead.clone();
                let or = |part| Sql::Or(Box::new(part), instead.clone());
                all.extend(part.smaller().into_iter().map(or));
                all
            }
            Sql::All(parts) => one_smaller(parts).into_iter().map(Sql::All).collect(),
            Sql::List { separator, items, least } => {
                let list = |items| Sql::List { separator, items, least: *least };
                let mut all = Vec::new();
                if items.len() > *least {
                    for index in 0..items.len() {
                        let mut fewer = items.clone();
                        fewer.remove(index);
                        all.push(list(fewer));
                    }
                }
                all.extend(one_smaller(items).into_iter().map(list));
                all
            }
        }
    }
}

fn one_smaller(parts: &[Sql]) -> Vec<Vec<Sql>> {
    let mut all = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        for smaller in part.smaller() {
            let mut parts = parts.to_vec();
            parts[index] = smaller;
            all.push(parts);
        }
    }
    all
}

/// The smallest tree found that still is `wrong`, by at most so many attempts.
pub fn shrink(tree: Sql, attempts: usize, mut wrong: impl FnMut(&str) -> bool) -> Sql {
    let mut tree = tree;
    let mut left = attempts;
    'again: loop {
        let now = tree.to_string();
        for smaller in tree.smaller() {
            let shorter = smaller.to_string();
            if shorter.len() >= now.len() {
                continue;
            }
            if left == 0 {
                return tree;
            }
            left -= 1;
            if wrong(&shorter) {
                tree = smaller;
                continue 'again;
            }
        }
        return tree;
    }
}

#[test]
fn shrinking_keeps_what_is_wrong_and_drops_the_rest() {
    let tree = fill(
        "SELECT {} FROM t{}",
        vec![
            list(
                vec![text("a"), Sql::Or(Box::new(text("f(bad)")), vec![text("bad")]), text("c")],
                1,
            ),
            maybe(text(" WHERE true")),
        ],
    );
    assert_eq!(tree.to_string(), "SELECT a, f(bad), c FROM t WHERE true");
    let small = shrink(tree, 100, |sql| sql.contains("bad"));
    assert_eq!(small.to_string(), "SELECT bad FROM t");
}
