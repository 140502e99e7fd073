//! What does not exist for a role, taken out of the catalogs that would tell of it: hidden relations with their indexes,
//! TOAST tables, owned sequences, constraints, triggers, policies and row types; hidden columns with the indexes,
//! constraints and the rest that are made of them.
//!
//! What belongs to what is found as PostgreSQL itself would find it for DROP … CASCADE, in pg_depend. INVARIANT: where
//! rows are taken out, the statement's own functions run only on those that remain (OFFSET 0), since an error of theirs
//! would quote the others.
//! <https://www.postgresql.org/docs/current/catalog-pg-depend.html>

mod made;

use super::telling::Mark::{
    Any, AnyRow, Class, Column, Keyed, Named, NamedColumn, NamedConstraint, NamedStatistics,
    NamedType, Object,
};
use super::telling::{
    Mark, PG_ATTRDEF, PG_CLASS, PG_CONSTRAINT, PG_POLICY, PG_PUBLICATION_REL, PG_REWRITE,
    PG_STATISTIC_EXT, PG_TRIGGER, PG_TYPE, TELLING,
};
use crate::catalog::Relation;
use crate::policy::{Access, ColumnVerdict, RoleView};

/// What does not exist for a role.
#[derive(Default)]
pub(super) struct Absent {
    /// OIDs of relations.
    relations: Vec<u32>,
    /// OIDs of relations and `attnum`s.
    columns: Vec<(u32, i16)>,
    /// Columns of which different values look the same: no key and no index over one is unique as the role sees it.
    blurred: Vec<(u32, i16)>,
    /// Masked columns, and a number that is the same where equal values look equal and no two others do; else 0.
    masked: Vec<(u32, i16, usize)>,
    /// Relations of which the role does not see all rows, or none.
    filtered: Vec<u32>,
}

/// What else than the absent a function must not tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Beside {
    /// Nothing.
    Nothing,
    /// How large a relation is of which the role does not see all rows.
    Sizes,
    /// By what a relation is partitioned, where that does not exist for the role.
    Keys,
    /// The bounds of such partitions.
    Bounds,
}

impl Absent {
    /// Of a role.
    pub(super) fn of(view: &RoleView) -> Absent {
        let mut absent = Absent::default();
        let mut labels: Vec<String> = Vec::new();
        let snapshot = view.snapshot();
        for relation in snapshot.relations.values().filter(|relation| !relation.is_system()) {
            let columns = match view.access(relation.oid) {
                Access::Hidden => {
                    absent.relations.push(relation.oid.0);
                    continue;
                }
                Access::Masked(template) => {
                    if template.filter.is_some() {
                        absent.filtered.push(relation.oid.0);
                    }
                    template
                }
                Access::View(view) => view.template.clone(),
                // Its children may have filters.
                Access::Closed { .. } => {
                    absent.filtered.push(relation.oid.0);
                    continue;
                }
                Access::Open => continue,
            };
            for column in &columns.columns {
                let place = (relation.oid.0, column.number);
                if let ColumnVerdict::Masked(label) = &column.verdict {
                    let alike = column.unique.then(|| number_of(label, &mut labels));
                    absent.masked.push((place.0, place.1, alike.unwrap_or(0)));
                }
                match column.verdict {
                    ColumnVerdict::Hidden => absent.columns.push(place),
                    ColumnVerdict::Masked(_) if !column.unique => absent.blurred.push(place),
                    ColumnVerdict::Masked(_) | ColumnVerdict::Clear => {}
                }
            }
        }
        absent.relations.sort_unstable();
        absent.columns.sort_unstable();
        absent.blurred.sort_unstable();
        absent.masked.sort_unstable();
        absent.filtered.sort_unstable();
        absent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.relations.is_empty()
            && self.columns.is_empty()
            && self.masked.is_empty()
            && self.filtered.is_empty()
    }

    /// Conditions over `l`, the catalog; none where it tells nothing.
    pub(super) fn conditions(&self, relation: &Relation) -> Vec<String> {
        let telling = TELLING
            .iter()
            .find(|(schema, name, _)| *schema == relation.schema && *name == relation.name);
        let Some((_, _, marks)) = telling.filter(|_| !self.is_empty()) else { return Vec::new() };
        // Older servers lack a column or two.
        let has = |name: &&str| relation.column(name).is_some();
        marks
            .iter()
            .filter(|mark| mark.columns().iter().all(has))
            .map(|mark| self.condition(mark))
            .collect()
    }

    /// A column of pg_attribute. A hidden column is there as a dropped one, since pg_dump and others count on numbers
    /// without gaps; a column of which different values look the same may look like nothing, too.
    pub(super) fn attribute(&self, name: &str) -> String {
        let hidden = self.is_column("l.attrelid", "l.attnum");
        let dropped = match name {
            // The default of a column that was added later is kept there, as a value.
            "attmissingval" => return "CASE WHEN false THEN l.attmissingval END".to_owned(),
            "attname" => "CAST('........pg.dropped.' || l.attnum || '........' AS pg_catalog.name)",
            "atttypid" | "attcollation" => "CAST(0 AS pg_catalog.oid)",
            "atttypmod" => "-1",
            "attisdropped" => "true",
            "atthasdef" => {
                return format!("(l.atthasdef AND NOT {hidden}{})", self.no_default(" AND NOT "));
            }
            "attgenerated" => {
                return format!(
                    "CASE WHEN {hidden}{} THEN CAST('' AS pg_catalog.\"char\") ELSE l.attgenerated END",
                    self.no_default(" OR ")
                );
            }
            "atthasmissing" => "false",
            "attidentity" | "attcompression" => "CAST('' AS pg_catalog.\"char\")",
            "attacl" | "attoptions" | "attfdwoptions" | "attstattarget" => "NULL",
            "attnotnull" => {
                let blurred = is_one_of(&self.blurred, "l.attrelid", "l.attnum");
                return format!("(l.attnotnull AND NOT {hidden} AND NOT {blurred})");
            }
            _ => return format!("l.{name}"),
        };
        format!("CASE WHEN {hidden} THEN {dropped} ELSE l.{name} END")
    }

    /// True for a column of `l`, of pg_attribute, whose default or expression is made of what is absent: it looks like a
    /// column without. With what stands before it; nothing where there can be none.
    fn no_default(&self, before: &str) -> String {
        let condition = |defaults: String| {
            format!(
                "{before}(l.atthasdef AND EXISTS (SELECT FROM pg_catalog.pg_attrdef AS f WHERE f.adrelid = l.attrelid \
                 AND f.adnum = l.attnum AND f.oid = ANY ({defaults})))"
            )
        };
        self.defaults().map(condition).unwrap_or_default()
    }

    fn condition(&self, mark: &Mark) -> String {
        match mark {
            Class(oid) => format!("(l.{oid} = ANY ({})) IS NOT TRUE", self.classes()),
            Column(oid, number) => format!(
                "(l.{oid} = ANY ({}) OR {}) IS NOT TRUE",
                self.classes(),
                self.is_column(&format!("l.{oid}"), &format!("l.{number}"))
            ),
            Keyed(oid) => format!("(l.{oid} = ANY ({})) IS NOT TRUE", self.hidden_keys()),
            Object(class, oid) => {
                format!("(l.{oid} = ANY ({})) IS NOT TRUE", self.objects(*class))
            }
            Any(class, oid, number) => format!(
                "{} AND {} IS NOT TRUE",
                self.no_row(class, oid),
                self.is_column_of(class, oid, number)
            ),
            AnyRow(class, oid) => self.no_row(class, oid),
            Named(schema, name) => format!(
                "NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n \
                 ON n.oid = c.relnamespace WHERE n.nspname = l.{schema} AND c.relname = l.{name} AND \
                 c.oid = ANY ({}))",
                self.classes()
            ),
            NamedColumn(schema, name, column) => format!(
                "{} AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n \
                 ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid \
                 WHERE n.nspname = l.{schema} AND c.relname = l.{name} AND a.attname = l.{column} AND {})",
                self.condition(&Named(schema, name)),
                self.is_column("c.oid", "a.attnum")
            ),
            NamedConstraint(schema, name) => format!(
                "NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS c JOIN pg_catalog.pg_namespace AS n \
                 ON n.oid = c.connamespace WHERE n.nspname = l.{schema} AND c.conname = l.{name} AND \
                 c.oid = ANY ({})){}",
                self.objects(PG_CONSTRAINT),
                self.no_not_null(name)
            ),
            NamedStatistics(schema, name) => format!(
                "NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext AS s JOIN pg_catalog.pg_namespace AS n \
                 ON n.oid = s.stxnamespace WHERE n.nspname = l.{schema} AND s.stxname = l.{name} AND \
                 s.oid = ANY ({}))",
                self.objects(PG_STATISTIC_EXT)
            ),
            NamedType(schema, name) => format!(
                "NOT EXISTS (SELECT FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n \
                 ON n.oid = t.typnamespace WHERE n.nspname = l.{schema} AND t.typname = l.{name} AND \
                 t.oid = ANY ({}))",
                self.objects(PG_TYPE)
            ),
        }
    }

    /// Before PostgreSQL 18 the information schema makes up constraints for NOT NULL: `2200_16640_3_not_null`.
    fn no_not_null(&self, name: &str) -> String {
        let relations = self.relations.iter().map(|oid| format!("{oid}_[0-9]+"));
        let columns = self.columns.iter().map(|(oid, number)| format!("{oid}_{number}"));
        let all: Vec<String> = relations.chain(columns).collect();
        format!(" AND (l.{name} ~ '^[0-9]+_({})_not_null$') IS NOT TRUE", all.join("|"))
    }

    fn no_row(&self, class: &str, oid: &str) -> String {
        let mut conditions = vec![format!(
            "(l.{class} = {PG_CLASS} AND l.{oid} = ANY ({})) IS NOT TRUE",
            self.classes()
        )];
        for object in [
            PG_TYPE,
            PG_ATTRDEF,
            PG_CONSTRAINT,
            PG_REWRITE,
            PG_TRIGGER,
            PG_POLICY,
            PG_STATISTIC_EXT,
            PG_PUBLICATION_REL,
        ] {
            conditions.push(format!(
                "(l.{class} = {object} AND l.{oid} = ANY ({})) IS NOT TRUE",
                self.objects(object)
            ));
        }
        conditions.join(" AND ")
    }

    fn is_column_of(&self, class: &str, oid: &str, number: &str) -> String {
        format!(
            "(l.{class} = {PG_CLASS} AND {})",
            self.is_column(&format!("l.{oid}"), &format!("l.{number}"))
        )
    }

    fn is_column(&self, oid: &str, number: &str) -> String {
        is_one_of(&self.columns, oid, number)
    }

    /// True for rows of pg_depend about something that is made of what is absent.
    fn is_made_of_absent(&self) -> String {
        format!(
            "d.refclassid = {PG_CLASS} AND (d.refobjid = ANY ({}) OR {})",
            self.relation_array(),
            self.is_column("d.refobjid", "d.refobjsubid")
        )
    }

    fn relation_array(&self) -> String {
        array(&self.relations)
    }

    /// Rows of a catalog that are made of what is absent, as an array.
    fn objects(&self, class: u32) -> String {
        found(&class.to_string())
    }

    /// Relations that are absent, and indexes, TOAST tables and sequences that go with something absent.
    fn classes(&self) -> String {
        found("classes")
    }

    /// True for a relation of which the role does not see all rows, and for its indexes and TOAST table; `None` where
    /// there is none.
    pub(super) fn is_filtered(&self, oid: &str) -> Option<String> {
        (!self.filtered.is_empty()).then(|| format!("{oid} = ANY ({})", self.filtered_classes()))
    }

    fn filtered_classes(&self) -> String {
        found("filtered")
    }

    /// Relations that are partitioned by a hidden column, also in an expression: a key's columns depend on their own
    /// table (`StorePartitionKey` in catalog/heap.c).
    fn hidden_keys(&self) -> String {
        found("keys")
    }

    /// All partitions of those, of whatever level.
    fn below_hidden_keys(&self) -> String {
        found("below")
    }

    /// True for a partition by a hidden column; `None` where no column is hidden.
    pub(super) fn is_below_hidden_key(&self, oid: &str) -> Option<String> {
        (!self.columns.is_empty()).then(|| format!("({oid} = ANY ({}))", self.below_hidden_keys()))
    }

    /// True for a row of information_schema.columns about a column of which different values look the same.
    pub(super) fn is_blurred_by_name(&self) -> Option<String> {
        let condition = format!(
            "EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid WHERE n.nspname = l.table_schema AND \
             c.relname = l.table_name AND a.attname = l.column_name AND {})",
            is_one_of(&self.blurred, "a.attrelid", "a.attnum")
        );
        (!self.blurred.is_empty()).then_some(condition)
    }

    /// Defaults and expressions that are made of what is absent, as an array; `None` where there can be none.
    pub(super) fn defaults(&self) -> Option<String> {
        let is_any = !(self.relations.is_empty() && self.columns.is_empty());
        is_any.then(|| self.objects(PG_ATTRDEF))
    }

    /// True when a function that tells more than names tells something there that it must not.
    pub(super) fn concerns(&self, beside: Beside) -> bool {
        match beside {
            Beside::Nothing => false,
            Beside::Sizes => !self.filtered.is_empty(),
            Beside::Keys | Beside::Bounds => !self.columns.is_empty(),
        }
    }

    /// The OIDs of all that is absent, and what else there is not to be told of, in parentheses.
    pub(super) fn untold(&self, beside: Beside) -> String {
        if !self.concerns(beside) {
            let sql = self.everything();
            return format!("({}{sql})", self.with(&sql));
        }
        let more = match beside {
            Beside::Nothing => "NULL".to_owned(),
            Beside::Sizes => self.filtered_classes(),
            Beside::Keys => self.hidden_keys(),
            Beside::Bounds => self.below_hidden_keys(),
        };
        let sql = format!(
            "SELECT e.oid FROM ({}) AS e UNION ALL SELECT o.oid FROM pg_catalog.unnest({more}) AS o(oid)",
            self.everything()
        );
        format!("({}{sql})", self.with(&sql))
    }

    /// The OIDs of all that is absent.
    fn everything(&self) -> String {
        let all = [
            PG_TYPE,
            PG_ATTRDEF,
            PG_CONSTRAINT,
            PG_REWRITE,
            PG_TRIGGER,
            PG_POLICY,
            PG_STATISTIC_EXT,
            PG_PUBLICATION_REL,
        ];
        let objects = all.map(|class| {
            format!(
                " UNION ALL SELECT o.oid FROM pg_catalog.unnest({}) AS o(oid)",
                self.objects(class)
            )
        });
        format!(
            "SELECT o.oid FROM pg_catalog.unnest({}) AS o(oid){}",
            self.classes(),
            objects.concat()
        )
    }

    /// The hidden columns, in parentheses.
    pub(super) fn hidden_columns(&self) -> Option<String> {
        let values = values(&self.columns);
        let list =
            "a.attrelid AS oid, CAST(a.attnum AS pg_catalog.int4) AS number, a.attname AS name";
        (!self.columns.is_empty()).then(|| {
            format!(
                "(SELECT {list} FROM (VALUES {values}) AS c(r, n) JOIN pg_catalog.pg_attribute AS a \
                 ON a.attrelid = c.r AND a.attnum = c.n)"
            )
        })
    }

    fn is_blurred(&self, relation: &str, numbers: &str) -> String {
        format!(
            "EXISTS (SELECT FROM (VALUES {}) AS b(r, n) WHERE b.r = {relation} AND b.n = ANY ({numbers}))",
            values(&self.blurred)
        )
    }
}

/// One of the arrays of [`Absent::with`].
fn found(name: &str) -> String {
    format!("CAST((SELECT g.a FROM gone_{name} AS g) AS pg_catalog.oid[])")
}

fn array(oids: &[u32]) -> String {
    let oids: Vec<String> = oids.iter().map(u32::to_string).collect();
    format!("CAST(ARRAY[{}] AS pg_catalog.oid[])", oids.join(", "))
}

/// From 1.
fn number_of(label: &str, labels: &mut Vec<String>) -> usize {
    let known = labels.iter().position(|known| known == label).unwrap_or_else(|| {
        labels.push(label.to_owned());
        labels.len().saturating_sub(1)
    });
    known.saturating_add(1)
}

pub(super) fn is_one_of(columns: &[(u32, i16)], oid: &str, number: &str) -> String {
    format!("(({oid}, {number}) IN (SELECT c.r, c.n FROM (VALUES {}) AS c(r, n)))", values(columns))
}

/// Columns as rows of a VALUES list.
fn values(columns: &[(u32, i16)]) -> String {
    let value = |(oid, number): &(u32, i16)| {
        format!("(CAST({oid} AS pg_catalog.oid), CAST({number} AS pg_catalog.int2))")
    };
    if columns.is_empty() {
        return value(&(0, 0));
    }
    columns.iter().map(value).collect::<Vec<_>>().join(", ")
}
