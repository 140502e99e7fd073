//! What the server says of its own accord on channels that the session listens to.
//!
//! PostgreSQL says it outside transactions only: at once where the session is idle, else before ReadyForQuery. So it goes
//! to the client where it comes. A session that listens keeps its server connection ([`super::shared`]).
//!
//! INVARIANT: nothing reaches the client of a channel that it has not asked for, or that its role may not hear by the
//! rules in force, whoever made the server listen.

use std::borrow::Cow;

use super::backend::message;
use super::{Event, Fault, Out, Pipeline};
use crate::wire::{Frame, reader};

/// Process id of somebody else: whose server connection it was tells nothing that is the client's business.
const SOMEBODY: i32 = 0;

impl Pipeline {
    /// From now on the client knows itself by this process id.
    pub fn set_process_id(&mut self, process_id: i32) {
        self.process_id = process_id;
    }

    /// NotificationResponse.
    pub(super) fn notified(&mut self, frame: &Frame, out: &mut Out) -> Result<(), Fault> {
        let notification = match reader::notification(frame.body()) {
            Ok(notification) => notification,
            // Of a database whose encoding is none.
            Err(fault) if fault.utf8 => return Ok(()),
            Err(_) => return Err(self.misfit(b'A')),
        };
        let channel = notification.channel;
        if !self.settings.hears(channel) || !self.judge.may_hear(channel) {
            return Ok(());
        }
        let server = self.footprint.as_ref().map(|footprint| footprint.process_id);
        let sender = match server == Some(notification.process_id) {
            true => self.process_id,
            false => SOMEBODY,
        };
        let Some(payload) = self.searched_payload(notification.payload, out) else { return Ok(()) };
        let sender = sender.to_be_bytes();
        let body = [&sender, channel.as_bytes(), &[0], payload.as_bytes(), &[0]].concat();
        message(b'A', &body, &mut out.to_client);
        Ok(())
    }

    /// A payload as the role's `guard` lets it out; `None`: it does not.
    fn searched_payload<'p>(&self, payload: &'p str, out: &mut Out) -> Option<Cow<'p, str>> {
        let Some(detector) = &self.ceiling.detector else { return Some(Cow::Borrowed(payload)) };
        let (found, payload) = detector.text(payload);
        let then = detector.then();
        let found =
            found.into_iter().map(|kind| Event::Found { statement: 0, position: 0, kind, then });
        out.events.extend(found);
        payload.map(Cow::Owned)
    }
}
