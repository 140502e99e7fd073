//! Kinds of statements in words.

use pg_query::protobuf::node::Node;

/// A statement's kind in the words of SQL, for people.
pub(super) fn kind_name(node: &Node) -> String {
    let known = match node {
        Node::SelectStmt(_) => "SELECT",
        Node::InsertStmt(_) => "INSERT",
        Node::UpdateStmt(_) => "UPDATE",
        Node::DeleteStmt(_) => "DELETE",
        Node::MergeStmt(_) => "MERGE",
        Node::CopyStmt(_) => "COPY",
        Node::DoStmt(_) => "DO",
        Node::CallStmt(_) => "CALL",
        Node::ExplainStmt(_) => "EXPLAIN",
        Node::PrepareStmt(_) => "PREPARE",
        Node::ExecuteStmt(_) => "EXECUTE",
        Node::DeclareCursorStmt(_) => "DECLARE",
        Node::FetchStmt(_) => "FETCH",
        Node::CreateTableAsStmt(_) => "CREATE TABLE AS",
        Node::CreateStmt(_) => "CREATE TABLE",
        Node::ViewStmt(_) => "CREATE VIEW",
        Node::CreateFunctionStmt(_) => "CREATE FUNCTION",
        Node::CreateRoleStmt(_) => "CREATE ROLE",
        Node::AlterRoleStmt(_) | Node::AlterRoleSetStmt(_) => "ALTER ROLE",
        Node::GrantStmt(_) | Node::GrantRoleStmt(_) => "GRANT",
        Node::DropStmt(_) => "DROP",
        Node::TruncateStmt(_) => "TRUNCATE",
        Node::AlterTableStmt(_) => "ALTER TABLE",
        Node::IndexStmt(_) => "CREATE INDEX",
        Node::LockStmt(_) => "LOCK",
        Node::LoadStmt(_) => "LOAD",
        Node::ListenStmt(_) => "LISTEN",
        Node::NotifyStmt(_) => "NOTIFY",
        Node::VacuumStmt(_) => "VACUUM",
        Node::ConstraintsSetStmt(_) => "SET CONSTRAINTS",
        Node::AlterSystemStmt(_) => "ALTER SYSTEM",
        Node::CheckPointStmt(_) => "CHECKPOINT",
        Node::CreateExtensionStmt(_) => "CREATE EXTENSION",
        Node::CreateTrigStmt(_) => "CREATE TRIGGER",
        Node::CreateSchemaStmt(_) => "CREATE SCHEMA",
        Node::RuleStmt(_) => "CREATE RULE",
        Node::CommentStmt(_) => "COMMENT",
        Node::RefreshMatViewStmt(_) => "REFRESH MATERIALIZED VIEW",
        Node::ReindexStmt(_) => "REINDEX",
        Node::ReassignOwnedStmt(_) => "REASSIGN OWNED",
        Node::SecLabelStmt(_) => "SECURITY LABEL",
        _ => "of this kind",
    };
    known.to_owned()
}
