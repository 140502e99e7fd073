//! Plans that are kept: a text that has been planned before, and would be understood the same way, is not planned again.
//!
//! INVARIANT: the key is all that planning looks at: what the role sees (by the very view, so by its rules and its
//! catalog), who asks, what names mean, and the text to the letter. What has an effect on the session is not kept.
//!
//! The texts stand here with their literals, in memory only, as long as there is room for them.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::planning::{Planned, PlannedPart, Who};
use crate::catalog::{SearchPath, TempTables};
use crate::policy::RoleView;
use crate::sql::Effect;

/// All plans together, in bytes; what has not been used for long goes first.
const BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A longer text is planned each time: what is so long is seldom sent twice.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Of a usual plan, in bytes; to be exact is not worth it.
const USUAL_BYTES: u64 = 2048;

/// The plans of all sessions.
pub struct Plans {
    kept: Cache<Key, Arc<[PlannedPart]>, ByBytes>,
}

/// What a session asks for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What its role sees.
    pub view: &'a Arc<RoleView>,
    /// Who it is.
    pub who: &'a Who,
    /// Where names are looked up.
    pub search_path: &'a SearchPath,
    /// What is found before that.
    pub temp_tables: &'a TempTables,
    /// As the client sent it.
    pub text: &'a str,
}

#[derive(Clone)]
struct Key {
    /// Its address is nobody else's while this is there; what it held may be gone.
    view: Weak<RoleView>,
    user: Arc<str>,
    acts_for_others: bool,
    search_path: SearchPath,
    temp_tables: TempTables,
    text: Box<str>,
}

#[derive(Clone)]
struct ByBytes;

impl Default for Plans {
    fn default() -> Plans {
        Plans::with_capacity(BYTES_MAX)
    }
}

impl Plans {
    fn with_capacity(bytes: u64) -> Plans {
        let items = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX);
        Plans { kept: Cache::with_weighter(items, bytes, ByBytes) }
    }

    /// The plan of a text, if it is kept.
    pub fn get(&self, asked: Asked<'_>) -> Option<Planned> {
        if asked.text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let statements = self.kept.get(&asked)?;
        Some(Planned { statements: statements.to_vec() })
    }

    /// Keeps a plan, if it is one that can be kept.
    pub fn keep(&self, asked: Asked<'_>, planned: &Planned) {
        let is_kept = |part: &PlannedPart| part.effect == Effect::None && part.makes.is_none();
        if asked.text.len() > TEXT_BYTES_MAX || !planned.statements.iter().all(is_kept) {
            return;
        }
        let key = Key {
            view: Arc::downgrade(asked.view),
            user: Arc::clone(&asked.who.user),
            acts_for_others: asked.who.acts_for_others,
            search_path: asked.search_path.clone(),
            temp_tables: asked.temp_tables.clone(),
            text: asked.text.into(),
        };
        self.kept.insert(key, planned.statements.as_slice().into());
    }
}

impl Weighter<Key, Arc<[PlannedPart]>> for ByBytes {
    fn weight(&self, key: &Key, statements: &Arc<[PlannedPart]>) -> u64 {
        let sent =
            |part: &PlannedPart| part.text.len() + part.probe.as_ref().map_or(0, String::len);
        let texts = key.text.len() + statements.iter().map(sent).sum::<usize>();
        let rest = USUAL_BYTES.saturating_mul(statements.len() as u64 + 1);
        rest.saturating_add(texts as u64)
    }
}

impl Asked<'_> {
    fn is(&self, key: &Key) -> bool {
        std::ptr::eq(Arc::as_ptr(self.view), key.view.as_ptr())
            && self.text == &*key.text
            && self.who.user == key.user
            && self.who.acts_for_others == key.acts_for_others
            && *self.search_path == key.search_path
            && *self.temp_tables == key.temp_tables
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(self.view).hash(state);
        self.text.hash(state);
        self.who.user.hash(state);
        self.search_path.hash(state);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.view.as_ptr().hash(state);
        self.text.hash(state);
        self.user.hash(state);
        self.search_path.hash(state);
    }
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.is(key)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.view.ptr_eq(&other.view)
            && self.text == other.text
            && self.user == other.user
            && self.acts_for_others == other.acts_for_others
            && self.search_path == other.search_path
            && self.temp_tables == other.temp_tables
    }
}

impl Eq for Key {}

#[cfg(test)]
mod tests;
