//! The gate: statement kinds and settings, by allow-list, on PostgreSQL's own tree.
//!
//! A query goes on to the rewriter. What holds no query is printed again from PostgreSQL's tree and goes out as
//! that, with the [`Effect`] it has on the session. Everything else is refused.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;
use pg_query::protobuf::{DiscardMode, TransactionStmtKind, VariableSetKind};

use super::Speaker;
use super::channel;
use super::copy::{self, CopyOut};
pub use super::effect::{Effect, StatementKind};
use super::explain;
use super::kind_name::kind_name;
use super::known;
use super::own;
use super::refusal::Refusal;
use super::resolve::resolve_named;
use super::set_config;
use super::settings::{SettingVerdict, is_same_value, judge_setting, may_be};
use super::temporary;
use super::write;
use crate::catalog::SearchPath;
use crate::grammar::{RESERVED_SCHEMA, deparse, quote_identifier};

/// `CURSOR_OPT_HOLD` in nodes/parsenodes.h.
const CURSOR_OPT_HOLD: i32 = 0x0020;
/// `AccessShareLock` (storage/lockdefs.h).
const ACCESS_SHARE: i32 = 1;

/// Where a statement goes from the gate.
#[derive(Debug)]
pub(super) enum Gated {
    /// To the rewriter.
    Query,
    /// Out, as this text.
    Pass {
        /// What is sent.
        text: String,
        kind: StatementKind,
        effect: Effect,
    },
    /// To the rewriter of what writes.
    Write,
    /// The query in it to the rewriter, and out with what stands around it.
    Wrapped(Box<Wrapped>),
}

/// A statement around a query.
#[derive(Debug)]
pub(super) struct Wrapped {
    /// The statement, with a query in it.
    pub(super) node: Node,
    /// As the client wrote it.
    pub(super) written: Node,
    /// The query was made here: places in it are none of the client's text.
    pub(super) made: bool,
    pub(super) kind: StatementKind,
    pub(super) effect: Effect,
}

/// Judges the kind of one statement.
pub(super) fn judge(statement: &protobuf::RawStmt, speaker: Speaker<'_>) -> Result<Gated, Refusal> {
    let role = speaker.view.role();
    let node = statement.stmt.as_ref().and_then(|node| node.node.as_ref());
    let refused = |kind: &str| Err(Refusal::statement_kind(kind, &role.name));
    let Some(node) = node else {
        return refused("empty");
    };
    let reads = matches!(
        node,
        Node::SelectStmt(_)
            | Node::CopyStmt(_)
            | Node::DeclareCursorStmt(_)
            | Node::FetchStmt(_)
            | Node::PrepareStmt(_)
            | Node::ExecuteStmt(_)
            | Node::ExplainStmt(_)
    );
    if reads && !role.may.read && !role.may.everything {
        return refused(&kind_name(node));
    }
    // What is written may be read by RETURNING, and conditions read in any case.
    let may_write = role.may.read && role.may.write;
    match node {
        Node::InsertStmt(statement)
            if statement.relation.iter().any(|name| temporary::is_temporary(name, speaker)) =>
        {
            temporary::insert(statement, speaker)
        }
        Node::InsertStmt(_) | Node::UpdateStmt(_) | Node::DeleteStmt(_) | Node::MergeStmt(_)
            if may_write =>
        {
            Ok(Gated::Write)
        }
        Node::SelectStmt(select) if may_write && write::is_in_with(select) => Ok(Gated::Write),
        Node::SelectStmt(select) if select.into_clause.is_none() => {
            match set_config::search_path_of(select, speaker) {
                Some((path, local)) => search_path(statement, StatementKind::Show, path, local),
                None => Ok(known::sent_for(statement, select).map_or(Gated::Query, |text| {
                    let (kind, effect) = (StatementKind::Show, Effect::None);
                    Gated::Pass { text: text.to_owned(), kind, effect }
                })),
            }
        }
        Node::SelectStmt(select) => temporary::select_into(select, speaker),
        Node::CreateTableAsStmt(statement) => temporary::create_as(statement, speaker),
        Node::CreateStmt(statement) => temporary::create(statement, speaker),
        Node::DropStmt(statement) => temporary::drop(statement, speaker),
        Node::TruncateStmt(statement) => temporary::truncate(statement, speaker),
        Node::IndexStmt(statement) => temporary::index(statement, speaker),
        Node::VacuumStmt(statement) => temporary::analyze(statement, speaker),
        Node::TransactionStmt(transaction) => {
            let Some(effect) = transaction_effect(transaction) else {
                return refused("two-phase commit");
            };
            pass(statement, StatementKind::Transaction, effect)
        }
        Node::VariableSetStmt(set) => self::set(statement, set, speaker),
        Node::VariableShowStmt(show) => match own::show(&show.name, speaker)? {
            Some(text) => Ok(Gated::Pass { text, kind: StatementKind::Show, effect: Effect::None }),
            None => pass(statement, StatementKind::Show, Effect::None),
        },
        Node::DeallocateStmt(deallocate) => {
            judge_statement_name(&deallocate.name)?;
            let name = (!deallocate.isall).then(|| deallocate.name.clone());
            pass(statement, StatementKind::Discard, Effect::Deallocate(name))
        }
        Node::DiscardStmt(discard) => {
            let effect = match discard.target() {
                DiscardMode::DiscardAll => Effect::DiscardAll,
                DiscardMode::DiscardTemp => Effect::DiscardTemp,
                DiscardMode::DiscardPlans
                | DiscardMode::DiscardSequences
                | DiscardMode::Undefined => Effect::None,
            };
            pass(statement, StatementKind::Discard, effect)
        }
        Node::ClosePortalStmt(close) => {
            let name = (!close.portalname.is_empty()).then(|| close.portalname.clone());
            pass(statement, StatementKind::Discard, Effect::ClosePortal(name))
        }
        Node::DeclareCursorStmt(declare) => {
            let holds = declare.options & CURSOR_OPT_HOLD != 0;
            let effect = Effect::Declare { name: declare.portalname.clone(), holds };
            wrapped(node, StatementKind::Cursor, effect)
        }
        Node::FetchStmt(fetch) => {
            let kind = if fetch.ismove { StatementKind::Cursor } else { StatementKind::Fetch };
            pass(statement, kind, Effect::Fetch(fetch.portalname.clone()))
        }
        Node::PrepareStmt(prepare) => {
            if !matches!(query_in(&prepare.query), Some(Node::SelectStmt(_))) {
                return refused("PREPARE of what is no SELECT");
            }
            judge_statement_name(&prepare.name)?;
            wrapped(node, StatementKind::Prepare, Effect::Prepare(prepare.name.clone()))
        }
        Node::ExecuteStmt(execute) => {
            judge_statement_name(&execute.name)?;
            wrapped(node, StatementKind::Execute, Effect::Execute(execute.name.clone()))
        }
        Node::CopyStmt(copy) if copy.is_from && may_write => Ok(Gated::Write),
        Node::CopyStmt(statement) => {
            let CopyOut { node, written, made, extra_messages } = copy::judge(statement, speaker)?;
            let kind = StatementKind::Copy { extra_messages };
            let effect = Effect::None;
            Ok(Gated::Wrapped(Box::new(Wrapped { node, written, made, kind, effect })))
        }
        Node::ExplainStmt(statement) => {
            let written = node.clone();
            let (node, json) = explain::judge(statement, speaker)?;
            let (kind, effect) = (StatementKind::Explain { json }, Effect::None);
            Ok(Gated::Wrapped(Box::new(Wrapped { node, written, made: false, kind, effect })))
        }
        Node::LockStmt(lock) if lock.mode == ACCESS_SHARE => self::lock(lock, speaker),
        Node::ListenStmt(_) | Node::NotifyStmt(_) | Node::UnlistenStmt(_) => {
            channel::judge(node, statement, speaker)
        }
        other => refused(&kind_name(other)),
    }
}

/// LOCK TABLE … IN ACCESS SHARE MODE, the lock that a SELECT takes: pg_dump asks for it.
fn lock(lock: &protobuf::LockStmt, speaker: Speaker<'_>) -> Result<Gated, Refusal> {
    let mut names = Vec::with_capacity(lock.relations.len());
    for relation in &lock.relations {
        let Some(Node::RangeVar(relation)) = &relation.node else {
            return Err(Refusal::not_understood("a LOCK of what is no relation"));
        };
        let target = resolve_named(speaker, relation)?;
        let (schema, name) = target.name();
        let only = if relation.inh { "" } else { "ONLY " };
        names.push(format!("{only}{}.{}", quote_identifier(schema), quote_identifier(name)));
    }
    let nowait = if lock.nowait { " NOWAIT" } else { "" };
    let text = format!("LOCK TABLE {} IN ACCESS SHARE MODE{nowait}", names.join(", "));
    Ok(Gated::Pass { text, kind: StatementKind::Transaction, effect: Effect::None })
}

fn wrapped(node: &Node, kind: StatementKind, effect: Effect) -> Result<Gated, Refusal> {
    let wrapped = Wrapped { node: node.clone(), written: node.clone(), made: false, kind, effect };
    Ok(Gated::Wrapped(Box::new(wrapped)))
}

/// Statements of those names are Scrim's own on the server connection, and other sessions' perhaps.
fn judge_statement_name(name: &str) -> Result<(), Refusal> {
    match name.starts_with(RESERVED_SCHEMA) {
        true => Err(Refusal::reserved_statement_name(name)),
        false => Ok(()),
    }
}

fn query_in(query: &Option<Box<protobuf::Node>>) -> Option<&Node> {
    query.as_ref().and_then(|query| query.node.as_ref())
}

fn search_path(
    statement: &protobuf::RawStmt,
    kind: StatementKind,
    path: Option<SearchPath>,
    local: bool,
) -> Result<Gated, Refusal> {
    if path.as_ref().is_some_and(|path| !is_sound_search_path(path)) {
        return Err(Refusal::setting(
            "search_path",
            "may name pg_catalog only in the first place, and no temporary schema",
        ));
    }
    pass(statement, kind, Effect::SearchPath { local, path })
}

pub(super) fn pass(
    statement: &protobuf::RawStmt,
    kind: StatementKind,
    effect: Effect,
) -> Result<Gated, Refusal> {
    let text = deparse(statement).map_err(|error| Refusal::syntax(&error))?;
    Ok(Gated::Pass { text, kind, effect })
}

fn transaction_effect(transaction: &protobuf::TransactionStmt) -> Option<Effect> {
    let name = || transaction.savepoint_name.clone();
    let chain = transaction.chain;
    match transaction.kind() {
        TransactionStmtKind::TransStmtBegin | TransactionStmtKind::TransStmtStart => {
            Some(Effect::Begin)
        }
        TransactionStmtKind::TransStmtCommit => Some(Effect::Commit { chain }),
        TransactionStmtKind::TransStmtRollback => Some(Effect::Rollback { chain }),
        TransactionStmtKind::TransStmtSavepoint => Some(Effect::Savepoint(name())),
        TransactionStmtKind::TransStmtRelease => Some(Effect::Release(name())),
        TransactionStmtKind::TransStmtRollbackTo => Some(Effect::RollbackTo(name())),
        TransactionStmtKind::TransStmtPrepare
        | TransactionStmtKind::TransStmtCommitPrepared
        | TransactionStmtKind::TransStmtRollbackPrepared
        | TransactionStmtKind::Undefined => None,
    }
}

fn set(
    statement: &protobuf::RawStmt,
    set: &protobuf::VariableSetStmt,
    speaker: Speaker<'_>,
) -> Result<Gated, Refusal> {
    let kind = set.kind();
    if kind == VariableSetKind::VarResetAll {
        return pass(statement, StatementKind::Set, Effect::ResetAll);
    }
    let name = set.name.to_ascii_lowercase();
    if kind == VariableSetKind::VarSetMulti {
        // SET TRANSACTION, with a snapshot that another exported, and SET SESSION CHARACTERISTICS.
        return match name.as_str() {
            "transaction" | "transaction snapshot" => {
                pass(statement, StatementKind::Set, Effect::None)
            }
            "session characteristics" => {
                pass(statement, StatementKind::Set, Effect::Set(characteristics(set)?))
            }
            _ => Err(Refusal::setting(&set.name, "may not be changed")),
        };
    }
    let values = match kind {
        VariableSetKind::VarSetValue => Some(
            values(set).ok_or_else(|| Refusal::setting(&set.name, "takes plain literals only"))?,
        ),
        VariableSetKind::VarSetDefault | VariableSetKind::VarReset => None,
        VariableSetKind::VarSetCurrent
        | VariableSetKind::VarSetMulti
        | VariableSetKind::VarResetAll
        | VariableSetKind::Undefined => {
            return Err(Refusal::setting(&set.name, "may not be changed this way"));
        }
    };
    let effect = match name.as_str() {
        "search_path" => {
            let path = values.map(SearchPath);
            return search_path(statement, StatementKind::Set, path, set.is_local);
        }
        own if own.starts_with("scrim.") => {
            let value = values.map(|values| values.join(", "));
            let name = own::judge_stated(own, value.as_deref(), speaker)?.to_owned();
            Effect::State { name, local: set.is_local, value }
        }
        _ => match judge_setting(&name) {
            SettingVerdict::Allowed => {
                let is_fine = values.iter().flatten().all(|value| may_be(&name, value));
                if !is_fine {
                    return Err(Refusal::setting(&set.name, "may not have this value"));
                }
                // What is LOCAL, or the transaction's own, ends with it.
                match set.is_local || name.starts_with("transaction_") {
                    true => Effect::None,
                    false => {
                        let text = values.is_some().then(|| deparse(statement)).transpose();
                        Effect::Set(vec![(name, text.map_err(|error| Refusal::syntax(&error))?)])
                    }
                }
            }
            SettingVerdict::Only(only) => {
                let same = values
                    .as_deref()
                    .is_none_or(|values| matches!(values, [value] if is_same_value(only, value)));
                if !same {
                    let why = format!("is pinned to `{only}`");
                    return Err(Refusal::setting(&set.name, &why));
                }
                Effect::None
            }
            SettingVerdict::Refused => {
                return Err(Refusal::setting(&set.name, "may not be changed by this role"));
            }
        },
    };
    pass(statement, StatementKind::Set, effect)
}

/// SET SESSION CHARACTERISTICS AS TRANSACTION …, which sets the defaults of what it names.
fn characteristics(
    set: &protobuf::VariableSetStmt,
) -> Result<Vec<(String, Option<String>)>, Refusal> {
    let lost = || Refusal::setting(&set.name, "takes plain literals only");
    let one = |arg: &protobuf::Node| {
        let Some(Node::DefElem(element)) = &arg.node else { return None };
        let value = value(element.arg.as_ref()?.node.as_ref()?)?;
        let name = match element.defname.as_str() {
            "transaction_isolation" => "default_transaction_isolation",
            "transaction_read_only" => "default_transaction_read_only",
            "transaction_deferrable" => "default_transaction_deferrable",
            _ => return None,
        };
        let value = value.replace('\'', "''");
        Some((name.to_owned(), Some(format!("SET {name} TO '{value}'"))))
    };
    set.args.iter().map(|arg| one(arg).ok_or_else(lost)).collect()
}

/// `pg_catalog` first or not at all: a schema in front of it could redefine what `=` and `lower` mean.
pub fn is_sound_search_path(path: &SearchPath) -> bool {
    let SearchPath(names) = path;
    names.iter().skip(1).all(|name| name != "pg_catalog")
        && names.iter().all(|name| !name.starts_with("pg_temp") && !name.starts_with("pg_toast"))
}

/// The values of a SET as text.
fn values(set: &protobuf::VariableSetStmt) -> Option<Vec<String>> {
    set.args.iter().map(|arg| value(arg.node.as_ref()?)).collect()
}

fn value(node: &Node) -> Option<String> {
    match node {
        Node::AConst(constant) => match constant.val.as_ref()? {
            protobuf::a_const::Val::Sval(text) => Some(text.sval.clone()),
            protobuf::a_const::Val::Ival(number) => Some(number.ival.to_string()),
            protobuf::a_const::Val::Fval(number) => Some(number.fval.clone()),
            protobuf::a_const::Val::Boolval(truth) => Some(truth.boolval.to_string()),
            protobuf::a_const::Val::Bsval(_) => None,
        },
        // SET TIME ZONE INTERVAL '…'
        Node::TypeCast(cast) => value(cast.arg.as_ref()?.node.as_ref()?),
        _ => None,
    }
}
