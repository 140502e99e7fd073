//! What a name will mean to the server when it comes to a message: newest first among what is on its way.
//!
//! Within a unit everything before a message has succeeded when the server comes to it, else it is skipped. Across
//! units an earlier one may have failed: then the answer is [`Known::Uncertain`], and the message waits.

use std::sync::Arc;

use super::super::statements::Prepared;
use super::{Expected, Pipeline, Reply};
use crate::sql::{Effect, StatementKind};
use crate::wire::reader::Named;

/// The meaning of a name.
pub(super) enum Known {
    /// This statement.
    Yes(Arc<Prepared>),
    /// None that Scrim prepared; the server will say so.
    No,
    /// It depends on how an earlier unit ends.
    Uncertain,
}

/// The answer to [`Pipeline::may_use`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Yes.
    Allowed,
    /// No.
    Refused,
    /// It depends on how an earlier unit ends.
    Uncertain,
    /// SQL cannot name it: it has another name on the server connection.
    Elsewhere,
}

impl Pipeline {
    /// The statement behind a prepared name.
    pub(super) fn statement(&self, name: &str) -> Known {
        self.statement_before(self.queue.len(), name)
    }

    fn statement_before(&self, end: usize, name: &str) -> Known {
        let mut crossed = false;
        for expected in self.queue.range(..end).rev() {
            let found = match &expected.reply {
                Reply::Sync => {
                    crossed = true;
                    continue;
                }
                Reply::Query(run) => {
                    crossed = true;
                    // A Query drops the unnamed statement, whether it succeeds or not; if it runs at all.
                    let touches = name.is_empty()
                        || run.statements.iter().any(|one| touches(&one.effect, name));
                    if touches {
                        return Known::Uncertain;
                    }
                    continue;
                }
                Reply::Parse { name: parsed, prepared, .. } if parsed == name => {
                    prepared.clone().map_or(Known::No, Known::Yes)
                }
                Reply::Close { kind: Named::Statement, name: closed } if closed == name => {
                    Known::No
                }
                Reply::Execute(run) => match &run.prepared {
                    Some(prepared) if touches(&prepared.effect, name) => {
                        prepared.makes.clone().map_or(Known::No, Known::Yes)
                    }
                    Some(_) | None => continue,
                },
                Reply::Parse { .. }
                | Reply::Close { .. }
                | Reply::Bind { .. }
                | Reply::DescribeStatement { .. }
                | Reply::DescribePortal { .. }
                | Reply::Anew
                | Reply::Replay { .. } => continue,
            };
            return if crossed { Known::Uncertain } else { found };
        }
        self.statements.prepared(name).cloned().map_or(Known::No, Known::Yes)
    }

    /// May SQL use what it names? By EXECUTE it could run a SET, COMMIT or DEALLOCATE that a Parse has prepared, and
    /// by FETCH the portal of such an EXECUTE: their effects would go unseen.
    pub fn may_use(&self, effect: &Effect) -> Use {
        match effect {
            Effect::Execute(name) if self.names_older(name) => match self.queue.is_empty() {
                true => Use::Refused,
                false => Use::Uncertain,
            },
            Effect::Execute(name) => match self.statement(name) {
                Known::Yes(prepared) if self.is_shared && prepared.source.is_some() => {
                    Use::Elsewhere
                }
                Known::Yes(prepared) if prepared.kind == Some(StatementKind::Select) => {
                    Use::Allowed
                }
                Known::Yes(_) => Use::Refused,
                // The server says so.
                Known::No => Use::Allowed,
                Known::Uncertain => Use::Uncertain,
            },
            Effect::Fetch(name) => match self.portal(name) {
                Known::No if self.statements.is_older_portal(name) => match self.queue.is_empty() {
                    true => Use::Refused,
                    false => Use::Uncertain,
                },
                Known::No => Use::Allowed,
                Known::Yes(_) => Use::Refused,
                Known::Uncertain => Use::Uncertain,
            },
            _ => Use::Allowed,
        }
    }

    /// What a SQL EXECUTE of that name reads, as far as it is known by now.
    pub fn executed_by_name(&self, name: &str) -> Option<Arc<Prepared>> {
        match self.statement(name) {
            Known::Yes(prepared) => Some(prepared),
            Known::No | Known::Uncertain => None,
        }
    }

    /// The statement behind a portal.
    pub(super) fn portal(&self, name: &str) -> Known {
        let mut crossed = false;
        for (place, expected) in self.queue.iter().enumerate().rev() {
            match &expected.reply {
                Reply::Sync | Reply::Query(_) => crossed = true,
                Reply::Bind { portal, statement, .. } if portal == name => {
                    return match crossed {
                        true => Known::Uncertain,
                        false => self.statement_before(place, statement),
                    };
                }
                Reply::Close { kind: Named::Portal, name: closed } if closed == name => {
                    return if crossed { Known::Uncertain } else { Known::No };
                }
                Reply::Bind { .. }
                | Reply::Close { .. }
                | Reply::Parse { .. }
                | Reply::DescribeStatement { .. }
                | Reply::DescribePortal { .. }
                | Reply::Replay { .. }
                | Reply::Anew
                | Reply::Execute(_) => {}
            }
        }
        match self.statements.portal(name) {
            // The end of a unit may close it.
            Some(_) if crossed => Known::Uncertain,
            Some(portal) => portal.prepared.clone().map_or(Known::No, Known::Yes),
            None => Known::No,
        }
    }

    /// True when planning has to wait: what is on its way may change the settings that planning goes by.
    pub fn settings_are_uncertain(&self) -> bool {
        let changes = |expected: &Expected| expected.reply.may_change_settings();
        !self.queue.is_empty() && (self.settings.may_fall_back() || self.queue.iter().any(changes))
    }
}

/// True when a statement makes or drops a prepared statement of that name.
fn touches(effect: &Effect, name: &str) -> bool {
    match effect {
        Effect::Deallocate(Some(touched)) | Effect::Prepare(touched) => touched == name,
        // The unnamed one stays.
        Effect::Deallocate(None) | Effect::DiscardAll => !name.is_empty(),
        Effect::None
        | Effect::Set(_)
        | Effect::Execute(_)
        | Effect::Fetch(_)
        | Effect::Declare { .. }
        | Effect::Begin
        | Effect::Commit { .. }
        | Effect::Rollback { .. }
        | Effect::Savepoint(_)
        | Effect::Release(_)
        | Effect::RollbackTo(_)
        | Effect::SearchPath { .. }
        | Effect::ResetAll
        | Effect::CreateTemp { .. }
        | Effect::DropTemp(_)
        | Effect::DiscardTemp
        | Effect::ClosePortal(_)
        | Effect::Listen(_)
        | Effect::Unlisten(_)
        | Effect::State { .. } => false,
    }
}
