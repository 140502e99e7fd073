//! The addresses of a database: which are tried, in which order, and which will do.
//!
//! Several of them are one cluster, a primary and its standbys, as behind libpq's `target_session_attrs`.
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-TARGET-SESSION-ATTRS>
//!
//! INVARIANT: what is asked here of a server decides before the connection is anybody's. A server of another cluster is none
//! of ours, whatever it answers: its catalog is another one, and rules would be put on the wrong relations.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::connect::UpstreamError;
use super::{QueryError, ServerConnection};

/// What a server says of itself: is it in recovery, can a session only read, and of which cluster it is.
const LOOK: &str = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only'), \
                    system_identifier FROM pg_catalog.pg_control_system()";

/// One address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Host name or address; a path that starts with `/` is a folder of Unix sockets.
    pub name: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.name, self.port)
    }
}

/// Which servers will do, by libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAttributes {
    /// All.
    Any,
    /// Where sessions can write.
    ReadWrite,
    /// Where they cannot.
    ReadOnly,
    /// What is not in recovery.
    Primary,
    /// What is.
    Standby,
    /// A standby; if there is none, any.
    PreferStandby,
}

impl SessionAttributes {
    /// As they are written.
    pub const WORDS: [(&'static str, SessionAttributes); 6] = [
        ("any", SessionAttributes::Any),
        ("read-write", SessionAttributes::ReadWrite),
        ("read-only", SessionAttributes::ReadOnly),
        ("primary", SessionAttributes::Primary),
        ("standby", SessionAttributes::Standby),
        ("prefer-standby", SessionAttributes::PreferStandby),
    ];

    /// What is wanted at first, and at last.
    fn passes(self) -> &'static [SessionAttributes] {
        match self {
            SessionAttributes::Any => &[SessionAttributes::Any],
            SessionAttributes::ReadWrite => &[SessionAttributes::ReadWrite],
            SessionAttributes::ReadOnly => &[SessionAttributes::ReadOnly],
            SessionAttributes::Primary => &[SessionAttributes::Primary],
            SessionAttributes::Standby => &[SessionAttributes::Standby],
            SessionAttributes::PreferStandby => {
                &[SessionAttributes::Standby, SessionAttributes::Any]
            }
        }
    }

    /// Why such a server will not do.
    fn objection(self, is_standby: bool, can_only_read: bool) -> Option<&'static str> {
        match self {
            SessionAttributes::Any | SessionAttributes::PreferStandby => None,
            SessionAttributes::ReadWrite => can_only_read.then_some("sessions there can only read"),
            SessionAttributes::ReadOnly => (!can_only_read).then_some("sessions there can write"),
            SessionAttributes::Primary => is_standby.then_some("it is a standby"),
            SessionAttributes::Standby => (!is_standby).then_some("it is no standby"),
        }
    }
}

/// All addresses of a database, and which is wanted. Clones remember together.
#[derive(Debug, Clone)]
pub struct Hosts {
    all: Vec<Host>,
    wanted: SessionAttributes,
    known: Arc<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The number of the one that did last.
    last: AtomicUsize,
    cluster: OnceLock<String>,
}

impl PartialEq for Hosts {
    fn eq(&self, other: &Hosts) -> bool {
        self.all == other.all && self.wanted == other.wanted
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, host) in self.all.iter().enumerate() {
            let before = if number == 0 { "" } else { ", " };
            write!(out, "{before}{host}")?;
        }
        Ok(())
    }
}

impl Hosts {
    /// One address, and whatever is there will do.
    pub fn one(name: impl Into<String>, port: u16) -> Hosts {
        Hosts::of(vec![Host { name: name.into(), port }], SessionAttributes::Any)
    }

    /// These, in the order in which they are tried.
    pub fn of(all: Vec<Host>, wanted: SessionAttributes) -> Hosts {
        Hosts { all, wanted, known: Arc::default() }
    }

    /// By its number.
    pub(super) fn get(&self, number: usize) -> Option<&Host> {
        self.all.get(number)
    }

    /// The number of the one that did last, the first at the beginning.
    pub fn current(&self) -> usize {
        self.known.last.load(Ordering::Relaxed)
    }

    /// How many attempts there are at most.
    pub(super) fn attempts(&self) -> u32 {
        let passes = self.wanted.passes().len();
        u32::try_from(self.all.len().saturating_mul(passes)).unwrap_or(u32::MAX).max(1)
    }

    /// What is tried: the one that did last, those behind it, those before it; for each, what is wanted of it.
    pub(super) fn tried(&self) -> impl Iterator<Item = (usize, &Host, SessionAttributes)> {
        let numbered = || self.all.iter().enumerate().cycle().skip(self.current());
        self.wanted.passes().iter().flat_map(move |wanted| {
            numbered().take(self.all.len()).map(|(number, host)| (number, host, *wanted))
        })
    }

    /// This one will do.
    pub(super) fn have(&self, number: usize) {
        let before = self.known.last.swap(number, Ordering::Relaxed);
        if let (true, Some(from), Some(to)) = (before != number, self.get(before), self.get(number))
        {
            tracing::warn!(%from, %to, "another host of the database from now on");
        }
    }

    /// Looks whether a server is what is wanted. Where there is one address and any will do, nothing is asked. `opened_with`
    /// are the session's own startup parameters: one that wants to write nothing does not make the server one where nobody can.
    pub(super) async fn judge(
        &self,
        connection: &mut ServerConnection,
        host: &Host,
        wanted: SessionAttributes,
        opened_with: &[(String, String)],
    ) -> Result<(), UpstreamError> {
        if self.all.len() == 1 && wanted == SessionAttributes::Any {
            return Ok(());
        }
        let unfit =
            |why: &str| UpstreamError::Unfit { host: host.to_string(), why: why.to_owned() };
        let rows = connection.query(LOOK).await.map_err(|error| match error {
            QueryError::Server { code, message } => unfit(&format!(
                "it does not say what it is (it must let Scrim call pg_control_system): {code} {message}"
            )),
            QueryError::Broken(why) => UpstreamError::Broken(why),
        })?;
        let row: Vec<&str> = rows.iter().flatten().filter_map(Option::as_deref).collect();
        let [is_standby, can_only_read, cluster] = *row.as_slice() else {
            return Err(unfit("it does not say what it is"));
        };
        if self.known.cluster.get_or_init(|| cluster.to_owned()) != cluster {
            return Err(unfit("it is of another cluster than the one that was there before"));
        }
        let is_standby = is_standby != "f";
        let can_only_read = match opened_with.iter().any(|(name, _)| is_of_writing(name)) {
            true => is_standby,
            false => can_only_read != "off",
        };
        match wanted.objection(is_standby, can_only_read) {
            Some(why) => Err(unfit(why)),
            None => Ok(()),
        }
    }
}

/// A startup parameter by which a session may have said that it does not write.
fn is_of_writing(name: &str) -> bool {
    ["default_transaction_read_only", "transaction_read_only", "options"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(wanted: SessionAttributes) -> Hosts {
        let host = |name: &str| Host { name: name.into(), port: 5432 };
        Hosts::of(vec![host("a"), host("b"), host("c")], wanted)
    }

    fn tried(hosts: &Hosts) -> String {
        hosts.tried().map(|(_, host, _)| host.name.as_str()).collect()
    }

    #[test]
    fn who_did_last_is_tried_first() {
        let hosts = hosts(SessionAttributes::Any);
        assert_eq!(tried(&hosts), "abc");
        hosts.clone().have(1);
        assert_eq!(tried(&hosts), "bca", "clones remember together");
    }

    #[test]
    fn a_standby_is_preferred_everywhere_before_anything_else() {
        let hosts = hosts(SessionAttributes::PreferStandby);
        hosts.have(2);
        let wanted: Vec<_> = hosts.tried().map(|(_, host, wanted)| (&*host.name, wanted)).collect();
        let (standby, any) = (SessionAttributes::Standby, SessionAttributes::Any);
        assert_eq!(wanted[..3], [("c", standby), ("a", standby), ("b", standby)]);
        assert_eq!(wanted[3..], [("c", any), ("a", any), ("b", any)]);
        assert_eq!(hosts.attempts(), 6);
    }

    #[test]
    fn words_are_libpqs() {
        // is a standby, can only read
        let servers = [(false, false), (false, true), (true, true)];
        for (word, expected) in [
            ("any", [true, true, true]),
            ("read-write", [true, false, false]),
            ("read-only", [false, true, true]),
            ("primary", [true, true, false]),
            ("standby", [false, false, true]),
        ] {
            let (_, wanted) =
                SessionAttributes::WORDS.iter().find(|(own, _)| *own == word).unwrap();
            let fits = servers.map(|(is_standby, can_only_read)| {
                wanted.objection(is_standby, can_only_read).is_none()
            });
            assert_eq!(fits, expected, "{word}");
        }
    }
}
