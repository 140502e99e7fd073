//! What is known of the database, at one moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// `pg_class.oid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationOid(pub u32);

/// `pg_class.relkind`, of the kinds that can stand in FROM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// `r`
    Table,
    /// `p`
    PartitionedTable,
    /// `v`
    View,
    /// `m`
    MaterializedView,
    /// `f`
    ForeignTable,
    /// `S`: a sequence can be selected from
    Sequence,
}

/// A relation that can stand in FROM. Those of `pg_catalog` and `information_schema` are here too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its OID.
    pub oid: RelationOid,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// Columns in order of `attnum`; dropped ones and system columns are not here.
    pub columns: Vec<Column>,
    /// `attnum`s of the primary key, in order of `attnum`; empty: none (or deferrable, or not valid).
    pub primary_key: Vec<i16>,
    /// Partitioned or inherited parents (`pg_inherits`), direct ones, in order of `inhseqno`.
    pub parents: Vec<RelationOid>,
    /// A view's definition; `None` for what is no view, and where it could not be read.
    pub definition: Option<ViewDefinition>,
    /// What the definition of a view or materialised view depends on (`pg_depend` of its rule), itself not
    /// included: relation and `attnum`, 0 for the relation as such. A column named anywhere in it is here. Of a sequence,
    /// the column that owns it.
    pub reads: Vec<(RelationOid, i16)>,
}

/// What a view stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewDefinition {
    /// The query as `pg_get_viewdef` prints it under a search_path of `pg_catalog` alone: every other name has
    /// its schema.
    pub sql: String,
    /// `security_barrier`: nothing of a statement around it runs over rows that the view drops.
    pub security_barrier: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// `attnum`, from 1.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// The type as SQL, with its modifier, readable under any search_path (user types are schema-qualified).
    pub type_sql: String,
    /// `atttypid`.
    pub type_oid: u32,
    /// `atttypmod`; -1: none.
    pub type_modifier: i32,
    /// The family that masks go by; a domain's is that of its base type.
    pub family: TypeFamily,
    /// For a domain: base type as SQL with modifier. Masks compute in the base type and cast to the domain
    /// last, which a CHECK may refuse: then the column can only be null, hidden or clear.
    pub domain_over: Option<String>,
    /// The collation as SQL, where it is not deterministic: PostgreSQL then refuses LIKE, `strpos` and regular
    /// expressions over the column.
    pub nondeterministic_collation: Option<String>,
    /// GENERATED ALWAYS AS (…).
    pub generated: bool,
    /// There is a default equality and hash or btree class: it can be grouped by.
    pub groupable: bool,
}

/// A function's name; overloads are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
}

/// A type outside `pg_catalog` and `information_schema`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserType {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `pg_type.oid`.
    pub oid: u32,
    /// What it is.
    pub kind: UserTypeKind,
    /// Its values name relations or types, or hold such values ([`Snapshot::naming_types`]).
    pub names_objects: bool,
}

/// Kinds of user types. Base types run code of their own when they read or print a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserTypeKind {
    /// Input and output functions of an extension or of the user's own.
    Base,
    /// CREATE TYPE … AS ENUM.
    Enum,
    /// CREATE DOMAIN.
    Domain,
    /// CREATE TYPE … AS (…), and every relation's row type.
    Composite,
    /// CREATE TYPE … AS RANGE, and its multirange.
    Range,
}

/// The catalog of one database at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Counts up with each refresh that changed something; set by the caller of `read_snapshot`.
    pub version: u64,
    /// The database's name.
    pub database: String,
    /// The login's name, for `"$user"` in search_path.
    pub login: String,
    /// `server_version_num`.
    pub server_version: u32,
    /// `server_encoding`: what a character is in the database.
    pub encoding: String,
    /// All schemas' names.
    pub schemas: BTreeSet<String>,
    /// Relations by OID.
    pub relations: HashMap<RelationOid, Relation>,
    /// Relations by schema and name.
    pub by_name: HashMap<(String, String), RelationOid>,
    /// Functions, aggregates and procedures outside `pg_catalog`, by name: the schemas that have one.
    pub user_functions: BTreeMap<String, BTreeSet<String>>,
    /// All names of functions in `pg_catalog`.
    pub builtin_functions: BTreeSet<String>,
    /// Names of functions outside `pg_catalog` that can be called as `row.function`: one argument (VARIADIC too)
    /// that is a composite type, a domain over one, a record or polymorphic.
    pub row_functions: BTreeSet<String>,
    /// Operators outside `pg_catalog`, by name: the schemas that have one.
    pub user_operators: BTreeMap<String, BTreeSet<String>>,
    /// Types outside `pg_catalog`, by schema and name.
    pub user_types: HashMap<(String, String), UserType>,
    /// True when some cast is done by a function outside `pg_catalog`.
    pub user_casts: bool,
    /// `pg_type.oid` of the types whose values name relations or types, so that PostgreSQL looks up whatever becomes one:
    /// regclass, regtype, regprocedure, regoperator, and domains, arrays, ranges and rows that are made of them.
    /// <https://www.postgresql.org/docs/current/datatype-oid.html>
    pub naming_types: BTreeSet<u32>,
}

/// Major versions of PostgreSQL of which everything in the system catalogs has been judged.
pub const KNOWN_VERSIONS: std::ops::RangeInclusive<u32> = 13..=18;

impl Snapshot {
    /// The server's major version.
    pub fn major_version(&self) -> u32 {
        self.server_version / 10_000
    }

    /// True for a column whose values name relations or types, or hold such values.
    pub fn names_objects(&self, column: &Column) -> bool {
        self.naming_types.contains(&column.type_oid)
    }

    /// The relation of that exact name.
    pub fn relation_named(&self, schema: &str, name: &str) -> Option<&Relation> {
        let oid = self.by_name.get(&(schema.to_owned(), name.to_owned()))?;
        self.relations.get(oid)
    }

    /// The relation with that OID.
    pub fn relation(&self, oid: RelationOid) -> Option<&Relation> {
        self.relations.get(&oid)
    }
}

impl Relation {
    /// The column of that exact name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// True for relations of `pg_catalog` and `information_schema`.
    pub fn is_system(&self) -> bool {
        self.schema == "pg_catalog" || self.schema == "information_schema"
    }
}

use super::type_family::TypeFamily;
