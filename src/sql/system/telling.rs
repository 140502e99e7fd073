//! Which catalogs tell of relations and columns, and by which of their columns.

/// `pg_class.oid` of the catalogs that objects are in (catalog/pg_*.h). They are the same in every server.
pub(super) const PG_TYPE: u32 = 1247;
pub(super) const PG_CLASS: u32 = 1259;
pub(super) const PG_ATTRDEF: u32 = 2604;
pub(super) const PG_CONSTRAINT: u32 = 2606;
pub(super) const PG_REWRITE: u32 = 2618;
pub(super) const PG_TRIGGER: u32 = 2620;
pub(super) const PG_POLICY: u32 = 3256;
pub(super) const PG_STATISTIC_EXT: u32 = 3381;
pub(super) const PG_PUBLICATION_REL: u32 = 6106;

/// How a catalog tells of relations and columns.
pub(super) enum Mark {
    /// A column with the OID of a relation, an index, a sequence or a TOAST table.
    Class(&'static str),
    /// Columns with a relation's OID and an `attnum`.
    Column(&'static str, &'static str),
    /// A column with the OID of a partitioned relation, of whose key the row tells.
    Keyed(&'static str),
    /// The catalog's own OID, and the column with the OID of its row.
    Object(u32, &'static str),
    /// Columns with the OID of a catalog, of a row in it, and an `attnum` or 0.
    Any(&'static str, &'static str, &'static str),
    /// Columns with the OID of a catalog and of a row in it.
    AnyRow(&'static str, &'static str),
    /// Columns with a schema and the name of a relation, an index or a sequence.
    Named(&'static str, &'static str),
    /// Columns with a schema, a relation and a column of it, by name.
    NamedColumn(&'static str, &'static str, &'static str),
    /// Columns with a schema and the name of a constraint.
    NamedConstraint(&'static str, &'static str),
    /// Columns with a schema and the name of statistics of several columns.
    NamedStatistics(&'static str, &'static str),
    /// Columns with a schema and the name of a type.
    NamedType(&'static str, &'static str),
}

use Mark::{
    Any, AnyRow, Class, Column, Keyed, Named, NamedColumn, NamedConstraint, NamedStatistics,
    NamedType, Object,
};

/// Every relation among those that masked roles may read that tells of relations, by schema and name.
pub(super) const TELLING: &[(&str, &str, &[Mark])] = &[
    ("pg_catalog", "pg_attrdef", &[Column("adrelid", "adnum"), Object(PG_ATTRDEF, "oid")]),
    ("pg_catalog", "pg_attribute", &[Class("attrelid")]),
    ("pg_catalog", "pg_class", &[Class("oid")]),
    (
        "pg_catalog",
        "pg_constraint",
        &[Class("conrelid"), Class("confrelid"), Class("conindid"), Object(PG_CONSTRAINT, "oid")],
    ),
    (
        "pg_catalog",
        "pg_depend",
        &[Any("classid", "objid", "objsubid"), Any("refclassid", "refobjid", "refobjsubid")],
    ),
    ("pg_catalog", "pg_description", &[Any("classoid", "objoid", "objsubid")]),
    ("pg_catalog", "pg_foreign_table", &[Class("ftrelid")]),
    ("pg_catalog", "pg_index", &[Class("indrelid"), Class("indexrelid")]),
    (
        "pg_catalog",
        "pg_indexes",
        &[Named("schemaname", "tablename"), Named("schemaname", "indexname")],
    ),
    ("pg_catalog", "pg_inherits", &[Class("inhrelid"), Class("inhparent")]),
    ("pg_catalog", "pg_init_privs", &[Any("classoid", "objoid", "objsubid")]),
    ("pg_catalog", "pg_locks", &[Class("relation")]),
    ("pg_catalog", "pg_matviews", &[Named("schemaname", "matviewname")]),
    (
        "pg_catalog",
        "pg_partitioned_table",
        &[Class("partrelid"), Class("partdefid"), Keyed("partrelid")],
    ),
    ("pg_catalog", "pg_policies", &[Named("schemaname", "tablename")]),
    ("pg_catalog", "pg_policy", &[Class("polrelid"), Object(PG_POLICY, "oid")]),
    ("pg_catalog", "pg_publication_rel", &[Class("prrelid"), Object(PG_PUBLICATION_REL, "oid")]),
    ("pg_catalog", "pg_publication_tables", &[Named("schemaname", "tablename")]),
    ("pg_catalog", "pg_rewrite", &[Class("ev_class"), Object(PG_REWRITE, "oid")]),
    ("pg_catalog", "pg_rules", &[Named("schemaname", "tablename")]),
    ("pg_catalog", "pg_seclabel", &[Any("classoid", "objoid", "objsubid")]),
    ("pg_catalog", "pg_seclabels", &[Any("classoid", "objoid", "objsubid")]),
    ("pg_catalog", "pg_sequence", &[Class("seqrelid")]),
    ("pg_catalog", "pg_shdepend", &[AnyRow("classid", "objid")]),
    ("pg_catalog", "pg_stat_all_indexes", &[Class("relid"), Class("indexrelid")]),
    ("pg_catalog", "pg_stat_all_tables", &[Class("relid")]),
    ("pg_catalog", "pg_stat_user_indexes", &[Class("relid"), Class("indexrelid")]),
    ("pg_catalog", "pg_stat_user_tables", &[Class("relid")]),
    ("pg_catalog", "pg_statio_all_indexes", &[Class("relid"), Class("indexrelid")]),
    ("pg_catalog", "pg_statio_all_sequences", &[Class("relid")]),
    ("pg_catalog", "pg_statio_all_tables", &[Class("relid")]),
    ("pg_catalog", "pg_statio_user_indexes", &[Class("relid"), Class("indexrelid")]),
    ("pg_catalog", "pg_statio_user_sequences", &[Class("relid")]),
    ("pg_catalog", "pg_statio_user_tables", &[Class("relid")]),
    ("pg_catalog", "pg_statistic_ext", &[Class("stxrelid"), Object(PG_STATISTIC_EXT, "oid")]),
    ("pg_catalog", "pg_stats", &[NamedColumn("schemaname", "tablename", "attname")]),
    (
        "pg_catalog",
        "pg_stats_ext",
        &[
            Named("schemaname", "tablename"),
            NamedStatistics("statistics_schemaname", "statistics_name"),
        ],
    ),
    (
        "pg_catalog",
        "pg_stats_ext_exprs",
        &[
            Named("schemaname", "tablename"),
            NamedStatistics("statistics_schemaname", "statistics_name"),
        ],
    ),
    ("pg_catalog", "pg_tables", &[Named("schemaname", "tablename")]),
    (
        "pg_catalog",
        "pg_trigger",
        &[
            Class("tgrelid"),
            Class("tgconstrrelid"),
            Class("tgconstrindid"),
            Object(PG_TRIGGER, "oid"),
        ],
    ),
    (
        "pg_catalog",
        "pg_type",
        &[Class("typrelid"), Object(PG_TYPE, "oid"), Object(PG_TYPE, "typelem")],
    ),
    ("pg_catalog", "pg_views", &[Named("schemaname", "viewname")]),
    (
        "information_schema",
        "attributes",
        &[NamedColumn("udt_schema", "udt_name", "attribute_name")],
    ),
    (
        "information_schema",
        "check_constraint_routine_usage",
        &[NamedConstraint("constraint_schema", "constraint_name")],
    ),
    (
        "information_schema",
        "check_constraints",
        &[NamedConstraint("constraint_schema", "constraint_name")],
    ),
    (
        "information_schema",
        "column_column_usage",
        &[
            NamedColumn("table_schema", "table_name", "column_name"),
            NamedColumn("table_schema", "table_name", "dependent_column"),
        ],
    ),
    (
        "information_schema",
        "column_domain_usage",
        &[NamedColumn("table_schema", "table_name", "column_name")],
    ),
    (
        "information_schema",
        "column_privileges",
        &[NamedColumn("table_schema", "table_name", "column_name")],
    ),
    (
        "information_schema",
        "column_udt_usage",
        &[NamedColumn("table_schema", "table_name", "column_name")],
    ),
    ("information_schema", "columns", &[NamedColumn("table_schema", "table_name", "column_name")]),
    (
        "information_schema",
        "constraint_column_usage",
        &[
            NamedColumn("table_schema", "table_name", "column_name"),
            NamedConstraint("constraint_schema", "constraint_name"),
        ],
    ),
    (
        "information_schema",
        "constraint_table_usage",
        &[
            Named("table_schema", "table_name"),
            NamedConstraint("constraint_schema", "constraint_name"),
        ],
    ),
    ("information_schema", "data_type_privileges", &[Named("object_schema", "object_name")]),
    ("information_schema", "element_types", &[Named("object_schema", "object_name")]),
    (
        "information_schema",
        "foreign_tables",
        &[Named("foreign_table_schema", "foreign_table_name")],
    ),
    (
        "information_schema",
        "key_column_usage",
        &[
            NamedColumn("table_schema", "table_name", "column_name"),
            NamedConstraint("constraint_schema", "constraint_name"),
        ],
    ),
    (
        "information_schema",
        "referential_constraints",
        &[
            NamedConstraint("constraint_schema", "constraint_name"),
            NamedConstraint("unique_constraint_schema", "unique_constraint_name"),
        ],
    ),
    (
        "information_schema",
        "role_column_grants",
        &[NamedColumn("table_schema", "table_name", "column_name")],
    ),
    ("information_schema", "role_table_grants", &[Named("table_schema", "table_name")]),
    ("information_schema", "role_udt_grants", &[NamedType("udt_schema", "udt_name")]),
    (
        "information_schema",
        "routine_column_usage",
        &[NamedColumn("table_schema", "table_name", "column_name")],
    ),
    ("information_schema", "routine_sequence_usage", &[Named("sequence_schema", "sequence_name")]),
    ("information_schema", "routine_table_usage", &[Named("table_schema", "table_name")]),
    ("information_schema", "sequences", &[Named("sequence_schema", "sequence_name")]),
    (
        "information_schema",
        "table_constraints",
        &[
            Named("table_schema", "table_name"),
            NamedConstraint("constraint_schema", "constraint_name"),
        ],
    ),
    ("information_schema", "table_privileges", &[Named("table_schema", "table_name")]),
    ("information_schema", "tables", &[Named("table_schema", "table_name")]),
    (
        "information_schema",
        "triggered_update_columns",
        &[NamedColumn("event_object_schema", "event_object_table", "event_object_column")],
    ),
    ("information_schema", "triggers", &[Named("event_object_schema", "event_object_table")]),
    ("information_schema", "udt_privileges", &[NamedType("udt_schema", "udt_name")]),
    ("information_schema", "usage_privileges", &[Named("object_schema", "object_name")]),
    (
        "information_schema",
        "user_defined_types",
        &[NamedType("user_defined_type_schema", "user_defined_type_name")],
    ),
    (
        "information_schema",
        "view_column_usage",
        &[
            Named("view_schema", "view_name"),
            NamedColumn("table_schema", "table_name", "column_name"),
        ],
    ),
    ("information_schema", "view_routine_usage", &[Named("table_schema", "table_name")]),
    (
        "information_schema",
        "view_table_usage",
        &[Named("view_schema", "view_name"), Named("table_schema", "table_name")],
    ),
    ("information_schema", "views", &[Named("table_schema", "table_name")]),
];

impl Mark {
    /// The columns that it is about.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        match self {
            Class(a) | Object(_, a) | Keyed(a) => vec![a],
            Column(a, b)
            | AnyRow(a, b)
            | Named(a, b)
            | NamedConstraint(a, b)
            | NamedStatistics(a, b)
            | NamedType(a, b) => vec![a, b],
            Any(a, b, c) | NamedColumn(a, b, c) => vec![a, b, c],
        }
    }
}
