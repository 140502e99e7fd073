//! What is known of a table before anybody has looked into it, and what a sample of it holds.

/// What values look like by their type; an array is of the form of its elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// text, varchar, char, name, citext, xml
    Text,
    /// Integers, numeric, floats.
    Number,
    /// date and timestamps
    Day,
    /// boolean
    Boolean,
    /// uuid
    Uuid,
    /// inet, cidr, macaddr
    Network,
    /// json, jsonb, and composite types, which are read as such
    Json,
    /// enum types
    Enum,
    /// bytea
    Binary,
    /// Everything else: nothing of it is read.
    Other,
}

/// What nobody may see: a value of the database, or what somebody wrote into a comment of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Unseen(String);

impl Unseen {
    /// Takes it in.
    pub fn new(text: String) -> Unseen {
        Unseen(text)
    }

    /// For those who judge it. INVARIANT: nothing outside this room asks.
    pub(super) fn look(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Unseen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// A relation that is looked at.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `pg_class.relkind`
    pub kind: char,
    /// `pg_class.oid`
    pub oid: u32,
    /// Rows by the statistics of the server; `None`: it has never counted.
    pub rows_estimate: Option<f64>,
    /// Size with its partitions and children, in bytes, once somebody has asked for it.
    pub bytes: u64,
    /// In order of `attnum`.
    pub columns: Vec<Column>,
}

/// A column that is looked at.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type as SQL.
    pub type_sql: String,
    /// What its values look like.
    pub form: Form,
    /// An array.
    pub is_array: bool,
    /// What COMMENT ON COLUMN says.
    pub comment: Option<Unseen>,
    /// The service account may read it.
    pub is_readable: bool,
    /// All of the primary key.
    pub is_key: bool,
    /// The column that a foreign key of this one column names: schema, relation, column.
    pub references: Option<(String, String, String)>,
}

/// Values of one column at random, NULLs left out.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Rows that were looked at.
    pub rows: usize,
    /// Values in text form, cut to a length; arrays, documents and composite values as JSON.
    pub values: Vec<Unseen>,
}

impl Table {
    /// For people, and for rules: as SQL writes it.
    pub fn sql_name(&self) -> String {
        format!("{}.{}", sql_identifier(&self.schema), sql_identifier(&self.name))
    }
}

/// As the rules read it back: in quotes where it is not a plain word of small letters.
pub fn sql_identifier(name: &str) -> String {
    let is_plain = name
        .chars()
        .enumerate()
        .all(|(index, c)| c == '_' || c.is_ascii_lowercase() || (index > 0 && c.is_ascii_digit()));
    if is_plain && !name.is_empty() {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
