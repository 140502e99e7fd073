//! What sessions have left on a server connection: settings, prepared statements, reported parameters. Pure.
//!
//! The pool keeps it beside the connection; the pipeline brings it up to date as the server confirms.
//! INVARIANT: it says what the server has confirmed, no more; where that is in doubt (an error, user code), it says
//! less, and the next session sets it again.

use std::collections::HashMap;
use std::sync::Arc;

use super::settings::{Settings, Values};
use super::source::PASSING;

/// Shared statements that a server connection holds at most; beyond that the one used longest ago is closed.
const PREPARED_MAX: usize = 256;

/// `name` and value, as the server reports them.
pub type Reported = Arc<Vec<(String, String)>>;

/// What is known of a server connection.
pub struct Footprint {
    /// Settings in force there, as far as sessions set them.
    pub settings: Settings,
    /// What the server has reported.
    pub reported: Reported,
    /// Code that nobody here has read may have run: settings, locks and sequences may be other than they seem.
    pub may_be_dirty: bool,
    /// Such code may have changed settings by which literals are read: what is prepared there is this session's alone.
    pub may_read_otherwise: bool,
    /// A LISTEN has been sent there: it goes to nobody before it is shown to listen to nothing.
    pub may_listen: bool,
    /// The server's process id of it.
    pub process_id: i32,
    prepared: HashMap<Arc<str>, u64>,
    clock: u64,
}

impl Footprint {
    /// Of a connection as it was opened; `start` is what it started with.
    pub fn new(start: Values, reported: Reported, process_id: i32) -> Footprint {
        Footprint {
            settings: Settings::new(start),
            reported,
            may_be_dirty: false,
            may_read_otherwise: false,
            may_listen: false,
            process_id,
            prepared: HashMap::new(),
            clock: 0,
        }
    }

    /// All settings are brought back to those at the start, and what was prepared under others is used no more.
    pub fn cleaned(&mut self) {
        self.settings.as_at_the_start();
        self.may_be_dirty = false;
        self.may_read_otherwise = false;
        self.prepared.retain(|name, _| !name.ends_with(PASSING));
    }

    /// True when the statement of this name is there; it counts as used.
    pub fn uses(&mut self, name: &str) -> bool {
        self.clock = self.clock.saturating_add(1);
        match self.prepared.get_mut(name) {
            Some(used) => {
                *used = self.clock;
                true
            }
            None => false,
        }
    }

    /// ParseComplete of a shared statement.
    pub fn prepared(&mut self, name: &Arc<str>) {
        self.clock = self.clock.saturating_add(1);
        self.prepared.insert(Arc::clone(name), self.clock);
    }

    /// It is there no more.
    pub fn dropped(&mut self, name: &str) {
        self.prepared.remove(name);
    }

    /// DEALLOCATE ALL, DISCARD ALL.
    pub fn dropped_all(&mut self) {
        self.prepared.clear();
    }

    /// The statement to be closed for another one to come, if there are too many.
    pub fn superfluous(&self) -> Option<Arc<str>> {
        if self.prepared.len() < PREPARED_MAX {
            return None;
        }
        let oldest = self.prepared.iter().min_by_key(|(_, used)| **used);
        oldest.map(|(name, _)| Arc::clone(name))
    }

    /// ParameterStatus.
    pub fn reports(&mut self, name: &str, value: &str) {
        set(&mut self.reported, name, value);
    }
}

/// Sets a value in a list that others may share. True: it was another.
pub fn set(list: &mut Reported, name: &str, value: &str) -> bool {
    let known = list.iter().position(|(known, _)| known == name);
    if known.and_then(|place| list.get(place)).is_some_and(|(_, known)| known == value) {
        return false;
    }
    let list = Arc::make_mut(list);
    match known.and_then(|place| list.get_mut(place)) {
        Some((_, known)) => value.clone_into(known),
        None => list.push((name.to_owned(), value.to_owned())),
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Footprint, PREPARED_MAX};
    use crate::session::settings::Values;

    #[test]
    fn the_statement_used_longest_ago_goes_first() {
        let mut footprint = Footprint::new(Values::default(), Arc::default(), 1);
        let name = |number: usize| Arc::<str>::from(number.to_string());
        for number in 0..PREPARED_MAX {
            assert_eq!(footprint.superfluous(), None);
            footprint.prepared(&name(number));
        }
        assert!(footprint.uses("0"));
        assert_eq!(footprint.superfluous(), Some(name(1)));
        let passing: std::sync::Arc<str> = "2!".into();
        footprint.prepared(&passing);
        assert!(footprint.uses("2!"));
        footprint.cleaned();
        assert!(!footprint.uses("2!"));
        footprint.dropped("1");
        assert_eq!(footprint.superfluous(), None);
        assert!(!footprint.uses("1"));
    }

    #[test]
    fn reported_values_are_shared_until_they_differ() {
        let mut list = Arc::new(vec![("TimeZone".to_owned(), "UTC".to_owned())]);
        let shared = Arc::clone(&list);
        assert!(!super::set(&mut list, "TimeZone", "UTC"));
        assert!(Arc::ptr_eq(&list, &shared));
        assert!(super::set(&mut list, "TimeZone", "Asia/Seoul"));
        assert!(!Arc::ptr_eq(&list, &shared));
        assert_eq!(shared[0].1, "UTC");
    }
}
