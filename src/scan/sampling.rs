//! How a table is looked into: few rows at random, few bytes of each value, and no more of the server than that takes.

use super::facts::{Form, Sample, Table, Unseen, sql_identifier};

/// How much is read.
#[derive(Debug, Clone, Copy)]
pub struct SampleLimits {
    /// Rows of a table.
    pub rows: usize,
    /// Characters of a value.
    pub chars: usize,
    /// Characters of a document or an array.
    pub document_chars: usize,
}

/// Up to that size, in bytes, a table is read whole and rows are chosen at random.
const WHOLE_BYTES_MAX: u64 = 8 << 20;
/// Up to that size each row is chosen by a die (BERNOULLI, which reads every page); above, pages are (SYSTEM).
const ROWS_BYTES_MAX: u64 = 64 << 20;
/// So many times the wanted rows are taken by pages, and thinned out then: neighbours are alike.
const PAGES_FACTOR: f64 = 8.0;
/// A page, as nearly every server has it, and what rows are taken for where the server has never counted.
const PAGE_BYTES: f64 = 8192.0;
const ROWS_OF_A_PAGE: f64 = 40.0;
/// So many columns are read at a time.
const COLUMNS_MAX: usize = 60;

/// The statements that sample a table, with the indexes of the columns that each reads. Empty: there is nothing to read.
/// The second of each is for where the first finds no row: pages can be empty.
pub fn sample_queries(
    table: &Table,
    limits: SampleLimits,
) -> Vec<(Vec<usize>, String, Option<String>)> {
    let read: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.is_readable && is_read(column.form))
        .map(|(index, _)| index)
        .collect();
    let queries = read.chunks(COLUMNS_MAX).map(|columns| {
        let (first, second) = queries(table, columns, limits);
        (columns.to_vec(), first, second)
    });
    queries.collect()
}

/// Values of other forms say nothing more than their type does, or are printed by code of the user's own.
fn is_read(form: Form) -> bool {
    match form {
        Form::Text | Form::Number | Form::Day | Form::Network | Form::Json => true,
        Form::Boolean | Form::Uuid | Form::Enum | Form::Binary | Form::Other => false,
    }
}

fn queries(table: &Table, columns: &[usize], limits: SampleLimits) -> (String, Option<String>) {
    let columns = columns.iter().filter_map(|index| table.columns.get(*index));
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (index, column) in columns.enumerate() {
        names.push(format!("{} AS c{index}", sql_identifier_always(&column.name)));
        let (text, chars) = match column.is_array || column.form == Form::Json {
            // Not to_jsonb, which refuses some of what a json may hold.
            true => {
                (format!("pg_catalog.to_json(c{index})::pg_catalog.text"), limits.document_chars)
            }
            false => (format!("c{index}::pg_catalog.text"), limits.chars),
        };
        values.push(format!("pg_catalog.left({text}, {chars})"));
    }
    let (names, values) = (names.join(", "), values.join(", "));
    let from =
        format!("{}.{}", sql_identifier_always(&table.schema), sql_identifier_always(&table.name));
    let rows = limits.rows;
    let build = |sample: &str, choice: &str| {
        format!(
            "SELECT {values} FROM (SELECT {names} FROM {from}{sample}{choice} LIMIT {rows}) AS s"
        )
    };
    let plain = build("", "");
    // What another server holds is not sorted by this one.
    if table.kind == 'f' {
        return (plain, None);
    }
    let wanted = rows as f64;
    let estimate =
        table.rows_estimate.unwrap_or(table.bytes as f64 / PAGE_BYTES * ROWS_OF_A_PAGE).max(1.0);
    let percent = |wanted: f64| (wanted * 100.0 / estimate).clamp(0.000_001, 100.0);
    if table.bytes <= WHOLE_BYTES_MAX {
        (build("", " ORDER BY pg_catalog.random()"), None)
    } else if table.bytes <= ROWS_BYTES_MAX {
        let sample = format!(" TABLESAMPLE BERNOULLI ({:.6})", percent(wanted * 1.3));
        (build(&sample, ""), Some(plain))
    } else {
        let sample = format!(" TABLESAMPLE SYSTEM ({:.6})", percent(wanted * PAGES_FACTOR));
        let choice = format!(" WHERE pg_catalog.random() < {:.6}", 1.2 / PAGES_FACTOR);
        (build(&sample, &choice), Some(plain))
    }
}

fn sql_identifier_always(name: &str) -> String {
    match sql_identifier(name) {
        quoted if quoted.starts_with('"') => quoted,
        plain => format!("\"{plain}\""),
    }
}

/// An answer of the server, in text form.
type Rows = Vec<Vec<Option<String>>>;

/// Puts the answers to [`sample_queries`] to their columns.
pub fn read_samples(table: &Table, answers: Vec<(Vec<usize>, Rows)>) -> Vec<Option<Sample>> {
    let mut samples: Vec<Option<Sample>> = vec![None; table.columns.len()];
    for (columns, rows) in answers {
        let mut read: Vec<Sample> =
            columns.iter().map(|_| Sample { rows: rows.len(), values: Vec::new() }).collect();
        for row in rows {
            for (sample, value) in read.iter_mut().zip(row) {
                sample.values.extend(value.map(Unseen::new));
            }
        }
        for (index, sample) in columns.into_iter().zip(read) {
            if let Some(place) = samples.get_mut(index) {
                *place = Some(sample);
            }
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::facts::Column;

    fn table(bytes: u64, kind: char) -> Table {
        let column = |name: &str, form| Column {
            name: name.into(),
            type_sql: "text".into(),
            form,
            is_array: false,
            comment: None,
            is_readable: true,
            is_key: false,
            references: None,
        };
        Table {
            schema: "S\"x".into(),
            name: "t".into(),
            kind,
            oid: 1,
            rows_estimate: Some(1e6),
            bytes,
            columns: vec![
                column("a b", Form::Text),
                column("raw", Form::Binary),
                column("d", Form::Json),
            ],
        }
    }

    const LIMITS: SampleLimits = SampleLimits { rows: 100, chars: 300, document_chars: 9000 };

    #[test]
    fn the_larger_a_table_the_less_of_it_is_read() {
        let query = |bytes, kind| sample_queries(&table(bytes, kind), LIMITS).remove(0);
        let (columns, small, again) = query(1000, 'r');
        assert_eq!((columns, again), (vec![0, 2], None));
        assert_eq!(
            small,
            "SELECT pg_catalog.left(c0::pg_catalog.text, 300), \
             pg_catalog.left(pg_catalog.to_json(c1)::pg_catalog.text, 9000) FROM (SELECT \"a b\" AS c0, \"d\" AS c1 \
             FROM \"S\"\"x\".\"t\" ORDER BY pg_catalog.random() LIMIT 100) AS s"
        );
        let (_, medium, again) = query(20 << 20, 'r');
        assert!(
            medium.contains(" TABLESAMPLE BERNOULLI (0.013000) LIMIT 100") && again.is_some(),
            "{medium}"
        );
        let (_, large, _) = query(1 << 40, 'p');
        assert!(large.contains(" TABLESAMPLE SYSTEM (0.080000) WHERE "), "{large}");
        let (_, foreign, _) = query(1 << 40, 'f');
        assert!(!foreign.contains("TABLESAMPLE") && foreign.contains("LIMIT 100"), "{foreign}");
    }
}
