//! The families of types that masks tell apart.

/// A family; a domain belongs to its base type's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TypeFamily {
    /// text, varchar, char(n), name, citext
    Text,
    /// smallint, integer, bigint
    Integer,
    /// numeric
    Numeric,
    /// real, double precision
    Float,
    /// boolean
    Boolean,
    /// date
    Date,
    /// timestamp, timestamptz
    Timestamp,
    /// uuid
    Uuid,
    /// json
    Json,
    /// jsonb
    Jsonb,
    /// bytea
    Bytea,
    /// inet
    Inet,
    /// any array
    Array,
    /// everything else, cidr, money, time, interval, enums, ranges, composites among them
    Other,
}
