//! Case pages: Markdown that a security person reads and writes. Pure; `cases` runs what this reads.
//!
//! Headings name tests. ``role `support` `` and ``search_path `trap, public` `` in prose hold for the section they
//! stand in and the ones below it, from there on. Each `sql` block is a test; the blocks after it say what to expect.
//!
//! Of attacks: `covers: one thing; another` names categories of `tests/attacks/README.md` for the section and those below
//! it; `control: why` and `differs: why` are about the `sql` block that follows.
//!
//! Servers differ. ``since `15` `` in prose: an older PostgreSQL does not have what the section is about, and each of its
//! statements must fail there; ``until `17` `` is the same for newer ones. A single block holds from or up to a version
//! with `since 15` or `until 14` behind its word. Nothing is left out by that: the statement is sent on every server, and
//! the canaries and the session's survival are looked at.

/// The phrase that takes a test out of the comparison with the masked copy; the prose around it says why.
const NOT_COMPARED: &str = "not compared with the masked copy";

/// The role that writes.
const WRITER: &str = "agent";

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Below `tests/`.
    pub name: String,
    pub cases: Vec<Case>,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The headings above it, outermost first.
    pub headings: Vec<String>,
    /// Line of the `sql` block's first line, from 1.
    pub line: usize,
    pub role: String,
    pub search_path: Option<String>,
    pub compared: bool,
    /// Categories of attacks, by name.
    pub covers: Vec<String>,
    /// Why this is no attack, though it stands among them.
    pub control: Option<String>,
    /// Why its answer may differ between desks that look the same to the role.
    pub differs: Option<String>,
    pub sql: String,
    /// What is sent where a COPY asks for data.
    pub data: Option<String>,
    pub expected: Vec<Expectation>,
}

impl Case {
    /// Roles that write do so in a transaction that is undone, through Scrim and on the copy.
    pub fn is_undone(&self) -> bool {
        self.role == WRITER
    }

    /// True when the server does not have what the case is about.
    pub fn is_missing(&self) -> bool {
        self.expected.contains(&Expectation::Fails)
    }
}

/// What a test expects, beside the law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// Columns' names, then rows, as [`render`](super::render) draws them. With the lines of the block, fences
    /// not among them, counted from 0, for `--update`.
    Table { lines: Vec<String>, block: std::ops::Range<usize> },
    /// SQLSTATE; each line must occur in the message or, after `hint: `, in the hint.
    Refused { code: String, lines: Vec<String> },
    /// SQLSTATE and part of the message of an error of the server.
    Error { code: String, message: Option<String> },
    /// The SQL that goes upstream.
    Sent(String),
    /// JSON that must be part of the audit record.
    Audit(serde_json::Value),
    /// The server does not have what the section is about, so the statement fails, in whatever words.
    Fails,
    /// What the true database holds when the statements have been run and nothing is undone yet: SQL of an
    /// administrator, and its answer as in a table.
    After { sql: String, lines: Vec<String> },
}

/// What holds for a section and those below it.
#[derive(Debug, Clone)]
struct Section {
    level: usize,
    heading: String,
    role: Option<String>,
    search_path: Option<String>,
    not_compared: bool,
    covers: Vec<String>,
    versions: Versions,
}

/// What a page says of the next block alone.
#[derive(Debug, Default)]
struct Marks {
    control: Option<String>,
    differs: Option<String>,
}

/// Major versions of PostgreSQL, both ends included.
#[derive(Debug, Clone, Copy)]
struct Versions {
    since: u32,
    until: u32,
}

const ALL_VERSIONS: Versions = Versions { since: 0, until: u32::MAX };

impl Versions {
    fn has(self, server: u32) -> bool {
        (self.since..=self.until).contains(&server)
    }
}

/// Reads a page as it is for a server of this major version. An error names the line.
pub fn parse(name: &str, text: &str, server: u32) -> Result<Page, String> {
    let mut page = Page { name: name.into(), cases: Vec::new() };
    let mut sections: Vec<Section> = Vec::new();
    let mut marks = Marks::default();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let fail = |what: &str| Err(format!("{name}:{}: {what}", index + 1));
        if let Some(info) = line.strip_prefix("```") {
            let mut block = Vec::new();
            loop {
                match lines.next() {
                    Some((_, line)) if line.trim_end() == "```" => break,
                    Some((_, line)) => block.push(line),
                    None => return fail("this block has no end"),
                }
            }
            let marks = (&sections[..], &mut marks);
            let added = add_block(&mut page, marks, info.trim(), &block, index + 1, server);
            if let Err(what) = added {
                return fail(&what);
            }
            continue;
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if level > 0 && line[level..].starts_with(' ') {
            sections.retain(|section| section.level < level);
            sections.push(Section {
                level,
                heading: line[level..].trim().into(),
                role: None,
                search_path: None,
                not_compared: false,
                covers: Vec::new(),
                versions: ALL_VERSIONS,
            });
        } else if sections.is_empty() && !line.trim().is_empty() {
            return fail("a page starts with a heading");
        }
        if let Some(section) = sections.last_mut() {
            section.role = code_after(line, "role ").or(section.role.take());
            section.search_path = code_after(line, "search_path ").or(section.search_path.take());
            for (word, end) in
                [("since ", &mut section.versions.since), ("until ", &mut section.versions.until)]
            {
                match code_after(&line.to_ascii_lowercase(), word).map(|it| it.parse()) {
                    Some(Ok(version)) => *end = version,
                    Some(Err(_)) => {
                        return fail(&format!("`{}` wants a version, as in `15`", word.trim()));
                    }
                    None => {}
                }
            }
            section.not_compared |= line.to_ascii_lowercase().contains(NOT_COMPARED);
            if let Some(names) = line.strip_prefix("covers: ") {
                section.covers = names.split(';').map(|name| name.trim().to_owned()).collect();
            }
        }
        for (word, mark) in [("control", &mut marks.control), ("differs", &mut marks.differs)] {
            match mark_of(line, word, server) {
                Ok(Some(why)) => *mark = Some(why),
                Ok(None) => {}
                Err(what) => return fail(&what),
            }
        }
        if level > 0 && (marks.control.is_some() || marks.differs.is_some()) {
            return fail("a mark before this heading has no `sql` block to be about");
        }
    }
    Ok(page)
}

fn add_block(
    page: &mut Page,
    (sections, marks): (&[Section], &mut Marks),
    info: &str,
    block: &[&str],
    first: usize,
    server: u32,
) -> Result<(), String> {
    let (info, versions) = versions(info)?;
    let is_there = sections.iter().all(|section| section.versions.has(server));
    let (kind, argument) = match info.split_once(' ') {
        Some((kind, argument)) => (kind, argument.trim()),
        None => (info, ""),
    };
    if kind == "sql" {
        let marks = std::mem::take(marks);
        let covers = sections.iter().rev().find(|section| !section.covers.is_empty());
        page.cases.push(Case {
            headings: sections.iter().map(|section| section.heading.clone()).collect(),
            line: first + 1,
            role: nearest(sections, |section| section.role.clone())
                .unwrap_or_else(|| "support".into()),
            search_path: nearest(sections, |section| section.search_path.clone()),
            compared: !sections.iter().any(|section| section.not_compared),
            covers: covers.map(|section| section.covers.clone()).unwrap_or_default(),
            control: marks.control,
            differs: marks.differs,
            sql: block.join("\n"),
            data: None,
            expected: if is_there { Vec::new() } else { vec![Expectation::Fails] },
        });
        return Ok(());
    }
    if kind == "text" || kind == "yaml" {
        return Ok(());
    }
    if kind == "data" {
        let Some(case) = page.cases.last_mut() else {
            return Err("`data` without an `sql` block before it".into());
        };
        case.data = Some(block.join("\n") + "\n");
        return Ok(());
    }
    let code = || match argument.len() == 5 {
        true => Ok(argument.to_owned()),
        false => Err(format!("`{kind}` wants an SQLSTATE of five characters, found `{argument}`")),
    };
    let lines = || block.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let expectation = match kind {
        "table" => Expectation::Table { lines: lines(), block: first..first + block.len() },
        "refused" => Expectation::Refused { code: code()?, lines: lines() },
        "error" => Expectation::Error { code: code()?, message: lines().first().cloned() },
        "after" => match block.iter().position(|line| line.trim() == "---") {
            Some(at) => Expectation::After {
                sql: block[..at].join("\n"),
                lines: lines()[at + 1..].to_vec(),
            },
            None => return Err("`after` is SQL, a line `---`, and a table".into()),
        },
        "sent" => Expectation::Sent(block.join("\n")),
        "audit" => Expectation::Audit(
            serde_json::from_str(&block.join("\n"))
                .map_err(|error| format!("this is no JSON: {error}"))?,
        ),
        other => {
            return Err(format!(
                "unknown block `{other}`: known are sql, data, table, refused, error, sent, audit, after; \
                 text and yaml are only for the reader"
            ));
        }
    };
    match page.cases.last_mut() {
        Some(_) if !is_there || !versions.has(server) => {}
        Some(case) => case.expected.push(expectation),
        None => return Err(format!("`{kind}` without an `sql` block before it")),
    }
    Ok(())
}

/// The reason behind `control: ` or `control until 17: `, where the line is that and counts on this server.
fn mark_of(line: &str, word: &str, server: u32) -> Result<Option<String>, String> {
    let Some((head, why)) = line.split_once(": ") else { return Ok(None) };
    if head != word
        && !head.starts_with(&format!("{word} since "))
        && !head.starts_with(&format!("{word} until "))
    {
        return Ok(None);
    }
    let (_, versions) = versions(head)?;
    Ok(versions.has(server).then(|| why.to_owned()))
}

/// What stands behind a block's fence, without `since 15` and `until 17` at its end.
fn versions(info: &str) -> Result<(&str, Versions), String> {
    let mut versions = ALL_VERSIONS;
    let mut rest = info;
    while let Some((before, number)) = rest.rsplit_once(' ') {
        let (before, word) = before.rsplit_once(' ').unwrap_or(("", before));
        let end = match word {
            "since" => &mut versions.since,
            "until" => &mut versions.until,
            _ => break,
        };
        *end = number.parse().map_err(|_| format!("`{word}` wants a version, found `{number}`"))?;
        rest = before;
    }
    Ok((rest, versions))
}

fn nearest<T>(sections: &[Section], of: impl Fn(&Section) -> Option<T>) -> Option<T> {
    sections.iter().rev().find_map(of)
}

/// The last piece of code on the line that follows `word`.
fn code_after(line: &str, word: &str) -> Option<String> {
    let mut found = None;
    let pattern = format!("{word}`");
    for (at, _) in line.match_indices(&pattern) {
        let inside_word = line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &line[at + pattern.len()..];
        if let (false, Some(end)) = (inside_word, rest.find('`')) {
            found = Some(rest[..end].to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# An e-mail cannot be guessed
role `analyst`
covers: guessing; another thing

control: it guesses nothing

```sql
SELECT 1
```
```table
?column?
1
```
## Nor read
As role `support`, with search_path `trap, public`:

```sql
SELECT 2;
SELECT 3
```
```refused 42501
scrim: function
hint: ask
```
```audit
{\"verdict\": \"refuse\"}
```
## Nor seen
The time differs, so it is not compared with the masked copy.

```sql
SELECT now()
```
";

    #[test]
    fn a_page_gives_its_tests() {
        let page = parse("cases/a.md", PAGE, 15).expect("page");
        let roles: Vec<&str> = page.cases.iter().map(|case| case.role.as_str()).collect();
        assert_eq!(roles, ["analyst", "support", "analyst"]);
        let compared: Vec<bool> = page.cases.iter().map(|case| case.compared).collect();
        assert_eq!(compared, [true, true, false]);
        let case = &page.cases[1];
        assert_eq!(case.headings, ["An e-mail cannot be guessed", "Nor read"]);
        assert_eq!(case.search_path.as_deref(), Some("trap, public"));
        assert_eq!(case.sql, "SELECT 2;\nSELECT 3");
        assert_eq!(case.line, 18);
        assert_eq!(case.covers, ["guessing", "another thing"]);
        assert_eq!(page.cases[0].control.as_deref(), Some("it guesses nothing"));
        assert_eq!((&case.control, &case.differs), (&None, &None));
        let lines = vec!["scrim: function".to_owned(), "hint: ask".to_owned()];
        assert_eq!(case.expected[0], Expectation::Refused { code: "42501".into(), lines });
        let lines = vec!["?column?".to_owned(), "1".to_owned()];
        assert_eq!(page.cases[0].expected, [Expectation::Table { lines, block: 10..12 }]);
        assert_eq!(PAGE.lines().nth(10), Some("?column?"));
    }

    #[test]
    fn what_is_wrong_with_a_page_is_told_with_its_line() {
        for (text, expected) in [
            ("# A\n```sql\nSELECT 1\n", "a.md:2: this block has no end"),
            ("# A\n```tabel\n```\n", "a.md:2: unknown block `tabel`"),
            ("# A\n```table\n```\n", "a.md:2: `table` without an `sql` block"),
            ("# A\n```sql\n```\n```error x\n```\n", "a.md:4: `error` wants an SQLSTATE"),
            ("# A\ncontrol: x\n# B\n", "a.md:3: a mark before this heading"),
            ("# A\ncontrol until x: y\n", "a.md:2: `until` wants a version"),
            ("role `a`\n", "a.md:1: a page starts with a heading"),
            ("# A\nsince `old`\n", "a.md:2: `since` wants a version"),
            ("# A\n```sql\n```\n```table until x\n```\n", "a.md:4: `until` wants a version"),
        ] {
            let error = parse("a.md", text, 15).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn what_a_server_does_not_have_must_fail_there() {
        let text = "# A\n```sql\n1\n```\n```table\n1\n```\n```error 42601 until 13\n```\n\
                    ```refused 42501 since 14 until 14\n```\n## B\nMERGE is there since `15`.\n\
                    ```sql\n2\n```\n```table\n2\n```\n";
        let expected = |server| {
            let page = parse("a.md", text, server).expect("page");
            let kind = |it: &Expectation| match it {
                Expectation::Table { .. } => "table",
                Expectation::Error { .. } => "error",
                Expectation::Refused { .. } => "refused",
                Expectation::Fails => "fails",
                _ => "another",
            };
            let cases = page.cases.iter().map(|case| case.expected.iter().map(kind).collect());
            cases.collect::<Vec<Vec<&str>>>()
        };
        assert_eq!(expected(13), [vec!["table", "error"], vec!["fails"]]);
        assert_eq!(expected(14), [vec!["table", "refused"], vec!["fails"]]);
        assert_eq!(expected(15), [vec!["table"], vec!["table"]]);
    }

    #[test]
    fn what_is_no_attack_yet_may_be_one_later() {
        let text = "# A\ncontrol until 17: there is no such thing\n```sql\n1\n```\n";
        let control = |server| parse("a.md", text, server).expect("page").cases[0].control.clone();
        assert_eq!(control(17).as_deref(), Some("there is no such thing"));
        assert_eq!(control(18), None);
    }
}
