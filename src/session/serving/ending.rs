//! How a session ends that cannot go on: by a fault, or by an answer that does not come.
//!
//! The server keeps the role's time for statements, as long as it can. Where it stands still, where the network between
//! does, and where the client does not take its rows so that the server cannot go on, somebody else has to: else the
//! connection would be gone for everybody, for ever.

use std::time::Duration;

use tokio::time::Instant;

use super::Serving;
use crate::session::attached::Ending;
use crate::session::closing::Farewell;
use crate::session::pipeline::Fault;

/// What a server that is only busy may take, beyond the time of its statements, to say that it is up.
const GRACE: Duration = Duration::from_secs(10);

impl Serving {
    /// When the server must have said something more; `None`: it need not.
    pub(super) fn overdue_at(&mut self) -> Option<Instant> {
        let statements = self.pipeline.statements_due();
        if statements == 0 {
            self.silent_since = None;
        }
        let seconds = self.view.role().limits.statement_seconds?;
        let statements = u64::try_from(statements).ok().filter(|count| *count > 0)?;
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        let time = Duration::from_secs(seconds.saturating_mul(statements));
        since.checked_add(time)?.checked_add(GRACE)
    }

    /// The server has said something.
    pub(super) fn has_spoken(&mut self) {
        self.silent_since = None;
    }

    /// The end of a session whose answer has not come.
    pub(super) fn ends_overdue(&self) -> Ending {
        let session = self.attached.session();
        let farewell = match self.attached.out.to_client.is_empty() {
            true => Farewell::new(
                "08006",
                "scrim: the database has not answered in the time of the role",
            ),
            false => {
                Farewell::new("57014", "scrim: the answer was not taken in the time of the role")
            }
        };
        tracing::warn!(session, "a statement took longer than the role's time");
        Ending::Away(farewell.hint("`limits: {statement_seconds: …}` in the role"))
    }

    /// The end that a fault brings.
    pub(super) fn closed_by(&self, fault: &Fault) -> Ending {
        match fault {
            Fault::Client { code, message } => Ending::Away(Farewell::new(code, message.clone())),
            Fault::ServerFatal => Ending::Told,
            Fault::NotAsItWas { .. } => {
                let session = self.attached.session();
                tracing::error!(session, %fault, "a session is lost");
                Ending::Away(
                    Farewell::new(
                        "08006",
                        "scrim: the settings of the session could not be set again",
                    )
                    .hint("connect anew"),
                )
            }
            Fault::Misfit { .. } => {
                let session = self.attached.session();
                tracing::error!(session, %fault, "ALARM: both connections are closed");
                Ending::Away(out_of_step())
            }
        }
    }
}

/// The server did not keep to what was asked.
pub(super) fn out_of_step() -> Farewell {
    Farewell::new("08P01", "scrim: the database's answer did not fit what was asked")
        .hint("an alarm has been logged")
}
