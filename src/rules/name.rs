//! Relation names as the rules write them: as in SQL.

/// A schema-qualified relation name, exactly as it stands in the catalog (after SQL's folding and unquoting).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationName {
    /// The schema.
    pub schema: String,
    /// The relation.
    pub name: String,
}

/// What `open` may say: one relation, or all of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelationPattern {
    /// `public.products`
    Relation(RelationName),
    /// `catalog.*`
    Schema(String),
}
