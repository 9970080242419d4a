//! What a query returns: columns with the types of SQL, rows of texts; or an error.
//!
//! The texts are what PostgreSQL's output functions make of the values
//! ([`crate::postgres::output`]); NULL is `None`. How a table is printed is up to whoever shows it.
//!
//! **Source.** `format_type.c` for the names of types; psql's `common.c:column_type_alignment`.
//!
//! **Not modelled.** Types that no view of replication has.

/// A type of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlType {
    /// `boolean`.
    Boolean,
    /// `integer`.
    Integer,
    /// `bigint`.
    Bigint,
    /// `double precision`.
    DoublePrecision,
    /// `numeric`.
    Numeric,
    /// `oid`.
    Oid,
    /// `xid`.
    Xid,
    /// `text`.
    Text,
    /// `name`.
    Name,
    /// `inet`.
    Inet,
    /// `pg_lsn`.
    PgLsn,
    /// `interval`.
    Interval,
    /// `timestamp with time zone`.
    Timestamptz,
}

impl SqlType {
    /// All of them.
    pub const ALL: [SqlType; 13] = [
        SqlType::Boolean,
        SqlType::Integer,
        SqlType::Bigint,
        SqlType::DoublePrecision,
        SqlType::Numeric,
        SqlType::Oid,
        SqlType::Xid,
        SqlType::Text,
        SqlType::Name,
        SqlType::Inet,
        SqlType::PgLsn,
        SqlType::Interval,
        SqlType::Timestamptz,
    ];

    /// As psql's `\gdesc` has it.
    pub fn name(self) -> &'static str {
        match self {
            SqlType::Boolean => "boolean",
            SqlType::Integer => "integer",
            SqlType::Bigint => "bigint",
            SqlType::DoublePrecision => "double precision",
            SqlType::Numeric => "numeric",
            SqlType::Oid => "oid",
            SqlType::Xid => "xid",
            SqlType::Text => "text",
            SqlType::Name => "name",
            SqlType::Inet => "inet",
            SqlType::PgLsn => "pg_lsn",
            SqlType::Interval => "interval",
            SqlType::Timestamptz => "timestamp with time zone",
        }
    }

    /// The type of that name.
    pub fn named(name: &str) -> Option<SqlType> {
        SqlType::ALL.into_iter().find(|sql_type| sql_type.name() == name)
    }

    /// Whether psql puts its values to the right.
    pub fn is_right_aligned(self) -> bool {
        match self {
            SqlType::Integer
            | SqlType::Bigint
            | SqlType::DoublePrecision
            | SqlType::Numeric
            | SqlType::Oid
            | SqlType::Xid => true,
            SqlType::Boolean
            | SqlType::Text
            | SqlType::Name
            | SqlType::Inet
            | SqlType::PgLsn
            | SqlType::Interval
            | SqlType::Timestamptz => false,
        }
    }
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub sql_type: SqlType,
}

/// What a query returns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// In order.
    pub columns: Vec<TableColumn>,
    /// As many texts a row as there are columns; `None`: NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// What a server says instead of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The message.
    pub message: String,
    /// Where in the query: the byte, from 0.
    pub position: Option<usize>,
    /// The `HINT`, if it has one.
    pub hint: Option<&'static str>,
}
