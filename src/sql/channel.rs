//! LISTEN, NOTIFY and UNLISTEN: channels by allow-list.
//!
//! What is sent to a channel may hold anything (triggers put rows into it) and is nobody's column, so it cannot be masked:
//! the rules name the channels that a role may hear, and those that it may send to. Names are compared as PostgreSQL's
//! grammar gives them, folded, unquoted and cut to 63 bytes, and are sent as they were compared.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::Speaker;
use super::gate::{Effect, Gated, StatementKind, pass};
use super::kind_name::kind_name;
use super::refusal::Refusal;
use crate::grammar::{Violation, constant_text};

/// Judges one of the three.
pub(super) fn judge(
    node: &Node,
    statement: &protobuf::RawStmt,
    speaker: Speaker<'_>,
) -> Result<Gated, Refusal> {
    let role = speaker.view.role();
    match node {
        Node::ListenStmt(listen) => {
            let channel = &listen.conditionname;
            if !role.may_listen(channel) {
                return Err(Refusal::channel("listen", channel, &role.name));
            }
            pass(statement, StatementKind::Listen, Effect::Listen(channel.clone()))
        }
        Node::NotifyStmt(notify) => {
            let channel = &notify.conditionname;
            if !role.may_notify(channel) {
                return Err(Refusal::channel("notify", channel, &role.name));
            }
            pass(statement, StatementKind::Notify, Effect::None)
        }
        // Pools send it when they clean up. It takes away, so it needs no leave.
        Node::UnlistenStmt(unlisten) => {
            let channel = &unlisten.conditionname;
            let effect = Effect::Unlisten((!channel.is_empty()).then(|| channel.clone()));
            pass(statement, StatementKind::Discard, effect)
        }
        other => Err(Refusal::statement_kind(&kind_name(other), &role.name)),
    }
}

/// `pg_notify` is NOTIFY with a payload that is computed, of masks as all that a query sees: a constant channel that the
/// role may send to.
pub(super) fn judge_pg_notify(
    speaker: Speaker<'_>,
    call: &protobuf::FuncCall,
) -> Result<(), Violation> {
    let role = speaker.view.role();
    if role.notify.is_empty() {
        return Err(Violation::Function("pg_notify".into()));
    }
    match constant_text(call.args.first()) {
        Some(channel) if role.may_notify(&channel) => Ok(()),
        Some(_) => Err(Violation::Arguments(
            "pg_notify".into(),
            "may not send to this channel: it is not named under `notify` of the role",
        )),
        None => Err(Violation::Arguments(
            "pg_notify".into(),
            "needs a channel's name as a plain literal",
        )),
    }
}
