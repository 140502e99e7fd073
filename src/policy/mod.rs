//! Rules × catalog snapshot → what one role sees of each relation, ready to be put into statements.
//!
//! A [`RoleView`] is built once for each role, rules version and catalog version. It compiles a template for a
//! relation when first asked and keeps it. It reads no statements; SQL that stands in the rules (conditions,
//! own masks, row filters) is checked here before it goes into a template.

mod access;
mod classify;
mod doubtful;
mod expression;
mod opening;
mod problems;
mod role_view;
mod sequence;
mod stated;
mod template;
mod view;
mod wire_masks;

pub use access::{Access, ColumnAccess, ColumnVerdict, Decision, LookupKind, Read};
pub use classify::{Classification, Given, covers, mask_rule};
pub use expression::{ExpressionError, Row, checked_expression};
pub use opening::{KEYS_MAX, OpenRows, Opening, Openings};
pub use problems::Problem;
pub use role_view::RoleView;
pub use stated::{Needs, Stated};
pub use template::{KEPT_MARK, MISSING_MARK, Template, UNSEEN_MARK, Wanted};
pub use view::{Unreadable, VIEW_DEPTH_MAX, View, ViewBody};
pub use wire_masks::{RawColumn, WireMasks};
