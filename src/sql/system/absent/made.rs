//! The queries over the catalogs that find what goes with something absent, each once in a text of ours, however often it
//! is named there.

use std::collections::BTreeMap;

use super::{Absent, array, found, is_one_of, values};
use crate::sql::system::telling::{
    PG_ATTRDEF, PG_CLASS, PG_CONSTRAINT, PG_POLICY, PG_PUBLICATION_REL, PG_REWRITE,
    PG_STATISTIC_EXT, PG_TRIGGER, PG_TYPE,
};

impl Absent {
    /// What [`found`] finds, for all that a text of ours names: each array is computed once, however often it is named.
    pub(in crate::sql::system) fn with(&self, sql: &str) -> String {
        let objects = [
            PG_CONSTRAINT,
            PG_TYPE,
            PG_ATTRDEF,
            PG_REWRITE,
            PG_TRIGGER,
            PG_POLICY,
            PG_STATISTIC_EXT,
            PG_PUBLICATION_REL,
        ];
        // Each may name those before it.
        let mut all: Vec<(String, String)> =
            objects.map(|class| (class.to_string(), self.made_objects(class))).into();
        all.push(("classes".into(), self.made_classes()));
        all.push(("filtered".into(), self.made_filtered()));
        all.push(("keys".into(), self.made_hidden_keys()));
        all.push(("below".into(), self.made_below_hidden_keys()));
        let mut text = sql.to_owned();
        let mut named = Vec::new();
        for (name, body) in all.into_iter().rev() {
            if text.contains(&found(&name)) {
                text.push_str(&body);
                named.push(format!("gone_{name}(a) AS MATERIALIZED (SELECT {body})"));
            }
        }
        named.reverse();
        if named.is_empty() { String::new() } else { format!("WITH {} ", named.join(", ")) }
    }

    fn made_objects(&self, class: u32) -> String {
        let direct = format!(
            "SELECT d.objid FROM pg_catalog.pg_depend AS d WHERE d.classid = {class} AND {}",
            self.is_made_of_absent()
        );
        match class {
            // The array type of a row type.
            PG_TYPE => format!(
                "ARRAY({direct} UNION ALL SELECT t.typarray FROM pg_catalog.pg_type AS t WHERE t.typarray <> 0 AND \
                 t.typrelid = ANY ({}))",
                self.relation_array()
            ),
            PG_CONSTRAINT => format!(
                "ARRAY({direct} UNION ALL SELECT k.oid FROM pg_catalog.pg_constraint AS k WHERE {} OR {} OR {})",
                self.is_blurred("k.conrelid", "k.conkey"),
                self.is_blurred("k.confrelid", "k.confkey"),
                self.is_broken()
            ),
            // Until PostgreSQL 14 the generated column itself depends on what it is computed of, not its expression.
            PG_ATTRDEF => format!(
                "ARRAY({direct} UNION ALL SELECT f.oid FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_attrdef AS f \
                 ON f.adrelid = d.objid AND f.adnum = d.objsubid WHERE d.classid = {PG_CLASS} AND {})",
                self.is_made_of_absent()
            ),
            // Those by which PostgreSQL keeps a constraint.
            PG_TRIGGER => format!(
                "ARRAY({direct} UNION ALL SELECT t.oid FROM pg_catalog.pg_trigger AS t WHERE t.tgconstraint <> 0 AND \
                 t.tgconstraint = ANY ({}))",
                self.objects(PG_CONSTRAINT)
            ),
            _ => format!("ARRAY({direct})"),
        }
    }

    /// True for a foreign key that does not hold as the role sees both sides: rows that it points to may be gone, and
    /// values that were equal look different.
    fn is_broken(&self) -> String {
        let mut broken = Vec::new();
        if !self.filtered.is_empty() {
            broken.push(format!("k.confrelid = ANY ({})", array(&self.filtered)));
        }
        // One row a relation, for this is a long list where nobody has judged much.
        let mut lost: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        let mut kept = Vec::new();
        for (oid, number, mark) in &self.masked {
            match mark {
                0 => lost.entry(*oid).or_default().push(number.to_string()),
                mark => kept.push(format!(
                    "(CAST({oid} AS pg_catalog.oid), CAST({number} AS pg_catalog.int2), {mark})"
                )),
            }
        }
        if !lost.is_empty() {
            let rows = lost.iter().map(|(oid, numbers)| {
                let numbers = numbers.join(",");
                format!(
                    "(CAST({oid} AS pg_catalog.oid), CAST('{{{numbers}}}' AS pg_catalog.int2[]))"
                )
            });
            broken.push(format!(
                "EXISTS (SELECT FROM (VALUES {}) AS m(r, n) WHERE m.r = k.conrelid AND m.n && k.conkey \
                 OR m.r = k.confrelid AND m.n && k.confkey)",
                rows.collect::<Vec<_>>().join(", ")
            ));
        }
        if !kept.is_empty() {
            let kept = format!("(VALUES {})", kept.join(", "));
            broken.push(format!(
                "EXISTS (SELECT FROM pg_catalog.generate_subscripts(k.conkey, 1) AS p(i) \
                 LEFT JOIN {kept} AS x(r, n, m) ON x.r = k.conrelid AND x.n = k.conkey[p.i] \
                 LEFT JOIN {kept} AS y(r, n, m) ON y.r = k.confrelid AND y.n = k.confkey[p.i] \
                 WHERE x.m IS DISTINCT FROM y.m)"
            ));
        }
        match broken.is_empty() {
            true => "false".to_owned(),
            false => format!("k.contype = 'f' AND ({})", broken.join(" OR ")),
        }
    }

    fn made_filtered(&self) -> String {
        let filtered = array(&self.filtered);
        let toast = format!(
            "SELECT t.reltoastrelid FROM pg_catalog.pg_class AS t WHERE t.reltoastrelid <> 0 AND t.oid = ANY ({filtered})"
        );
        format!(
            "ARRAY(SELECT u.oid FROM pg_catalog.unnest({filtered}) AS u(oid) UNION ALL {toast} \
             UNION ALL SELECT i.indexrelid FROM pg_catalog.pg_index AS i WHERE i.indrelid = ANY ({filtered}) \
             OR i.indrelid IN ({toast}))"
        )
    }

    fn made_hidden_keys(&self) -> String {
        format!(
            "ARRAY(SELECT d.objid FROM pg_catalog.pg_depend AS d WHERE d.classid = {PG_CLASS} AND \
             d.refclassid = {PG_CLASS} AND d.refobjid = d.objid AND d.refobjsubid = 0 AND d.deptype = 'i' AND {})",
            self.is_column("d.objid", "d.objsubid")
        )
    }

    fn made_below_hidden_keys(&self) -> String {
        format!(
            "ARRAY(WITH RECURSIVE b(oid) AS (SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = ANY ({}) \
             UNION SELECT i.inhrelid FROM b JOIN pg_catalog.pg_inherits AS i ON i.inhparent = b.oid) SELECT b.oid FROM b)",
            self.hidden_keys()
        )
    }

    fn made_classes(&self) -> String {
        let relations = self.relation_array();
        let constraints = self.objects(PG_CONSTRAINT);
        let toast = format!(
            "SELECT t.reltoastrelid FROM pg_catalog.pg_class AS t WHERE t.reltoastrelid <> 0 AND t.oid = ANY ({relations})"
        );
        format!(
            "ARRAY(SELECT u.oid FROM pg_catalog.unnest({relations}) AS u(oid) \
             UNION ALL {toast} \
             UNION ALL SELECT i.indexrelid FROM pg_catalog.pg_index AS i WHERE i.indrelid = ANY ({relations}) \
             OR i.indrelid IN ({toast}) \
             OR EXISTS (SELECT FROM (VALUES {}) AS c(r, n) WHERE c.r = i.indrelid AND c.n = ANY (i.indkey)) \
             OR i.indisunique AND ({} OR EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = {PG_CLASS} AND \
             d.objid = i.indexrelid AND d.refclassid = {PG_CLASS} AND {})) \
             UNION ALL SELECT k.conindid FROM pg_catalog.pg_constraint AS k WHERE k.conindid <> 0 AND k.contype IN ('p', 'u', 'x') \
             AND k.oid = ANY ({constraints}) \
             UNION ALL SELECT d.objid FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_class AS o ON o.oid = d.objid \
             AND o.relkind IN ('i', 'I', 'S', 't', 'c') WHERE d.classid = {PG_CLASS} AND {})",
            values(&self.columns),
            self.is_blurred("i.indrelid", "i.indkey"),
            is_one_of(&self.blurred, "d.refobjid", "d.refobjsubid"),
            self.is_made_of_absent()
        )
    }
}
