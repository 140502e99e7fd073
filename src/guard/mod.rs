//! The judge of results: it trusts no plan.
//!
//! PostgreSQL says in each row description which table and column a result column comes straight from. One that
//! is masked for the role means that something before was wrong: no row goes out. Error and notice texts lose
//! the fields in which PostgreSQL quotes rows, and plans the masks' SQL. What a role's own `guard` names is looked for in all that
//! leaves. Columns that come to be masked here are, and only where the server has named them. Pure.

mod detect;
mod error_text;
mod masking;
mod plan;
mod provenance;
mod row_keys;

pub use detect::{Caught, Detector, text_columns};
pub use error_text::clean_error_fields;
pub use masking::mask_row;
pub use plan::{Discretion, Unreadable};
pub use provenance::{Breach, judge_row_description};
pub use row_keys::{Formats, KEYS_MAX, RowKeys, Shown, ShownKeys, is_key_type, key_part};
