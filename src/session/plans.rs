//! Plans that are kept: a text that has been planned before, and would be understood the same way, is not planned again.
//!
//! A text that differs from one before in its literals only gets that one's plan with its own literals in it ([`template`]),
//! where [`crate::sql::lifting`] says that they mean nothing to the plan. A template is made when a text is met that
//! differs so for the second time.
//!
//! INVARIANT: the key is all that planning looks at: what the role sees (by the very view, so by its rules and its
//! catalog), who asks, what names mean, and the text to the letter. What has an effect on the session is not kept.
//!
//! What is met again says so, and what server connections may then keep prepared ([`Recurring`]).
//!
//! The texts stand here with their literals, in memory only, as long as there is room for them.

mod recurring;
mod template;

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::planning::{Planned, PlannedPart, Who};
use super::settings::Values;
use super::source::Source;
use crate::catalog::{SearchPath, TempTables};
use crate::policy::RoleView;
use crate::sql::Effect;
use crate::sql::lifting::{self, Lifted};
pub use recurring::{Again, Recurring};
use template::Template;

/// All plans together, in bytes; what has not been used for long goes first.
const BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A longer text is planned each time: what is so long is seldom sent twice.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Of a usual plan, in bytes; to be exact is not worth it.
const USUAL_BYTES: u64 = 2048;

/// The plans of all sessions.
pub struct Plans {
    kept: Cache<Key, Kept, ByBytes>,
    /// Masks may be put on rows as they pass.
    masks_on_the_wire: bool,
}

/// What is known under a key.
#[derive(Clone)]
enum Kept {
    /// Of a text to the letter, and what may be kept prepared of it.
    Plan(Arc<[PlannedPart]>, Option<Arc<Recurring>>),
    /// Of a text without literals: it has been met once.
    Met,
    /// Of the same: these are free.
    Free(Arc<[bool]>),
    /// Of a text without its free literals.
    Template(Arc<Template>),
    /// Its literals mean something, or nobody knows.
    Closed,
}

/// What a session asks for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What its role sees.
    pub view: &'a Arc<RoleView>,
    /// Who it is.
    pub who: &'a Who,
    /// What it has set: where names are looked up, and what is found before that.
    pub values: &'a Values,
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
        Plans::with_capacity(BYTES_MAX, true)
    }
}

impl Plans {
    /// None yet. `masks_on_the_wire`: masks may be put on rows as they pass.
    pub fn new(masks_on_the_wire: bool) -> Plans {
        Plans::with_capacity(BYTES_MAX, masks_on_the_wire)
    }

    /// True where masks may be put on rows as they pass.
    pub fn masks_on_the_wire(&self) -> bool {
        self.masks_on_the_wire
    }

    fn with_capacity(bytes: u64, masks_on_the_wire: bool) -> Plans {
        let items = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX);
        Plans { kept: Cache::with_weighter(items, bytes, ByBytes), masks_on_the_wire }
    }

    /// The plan of a text, if it is kept.
    pub fn get(&self, asked: Asked<'_>) -> Option<Planned> {
        if asked.text.len() > TEXT_BYTES_MAX {
            return None;
        }
        match self.kept.get(&asked)? {
            Kept::Plan(statements, recurring) => {
                let again = recurring.map(|recurring| Again { recurring, values: Vec::new() });
                Some(Planned { statements: statements.to_vec(), again })
            }
            Kept::Met | Kept::Free(_) | Kept::Template(_) | Kept::Closed => None,
        }
    }

    /// The plan of a text that differs from a known one in free literals only.
    pub fn fill(&self, asked: Asked<'_>, lifted: &Lifted<'_>) -> Option<Planned> {
        let Some(Kept::Free(free)) = self.kept.get(&asked.about(&shape_of(lifted))) else {
            return None;
        };
        match self.kept.get(&asked.about(&key_of(lifted, &free)))? {
            Kept::Template(template) => Some(template.fill(lifted)),
            Kept::Plan(..) | Kept::Met | Kept::Free(_) | Kept::Closed => None,
        }
    }

    /// Learns from a plan that had to be made. `plan` makes one of another text.
    pub fn learn(
        &self,
        asked: Asked<'_>,
        lifted: &Lifted<'_>,
        planned: &Planned,
        plan: impl FnOnce(&str) -> Option<Planned>,
    ) {
        if asked.text.len() > TEXT_BYTES_MAX {
            return;
        }
        let shape = shape_of(lifted);
        let free = match self.kept.get(&asked.about(&shape)) {
            None => return self.insert(asked.about(&shape), Kept::Met),
            Some(Kept::Met) => match lifting::free(lifted) {
                Some(free) => {
                    let free: Arc<[bool]> = free.into();
                    self.insert(asked.about(&shape), Kept::Free(Arc::clone(&free)));
                    free
                }
                None => return self.insert(asked.about(&shape), Kept::Closed),
            },
            Some(Kept::Free(free)) => free,
            Some(Kept::Closed | Kept::Plan(..) | Kept::Template(_)) => return,
        };
        let key = key_of(lifted, &free);
        if self.kept.get(&asked.about(&key)).is_some() {
            return;
        }
        let template = template_of(asked, lifted, &free, planned, plan);
        let kept = template.map_or(Kept::Closed, |template| Kept::Template(Arc::new(template)));
        self.insert(asked.about(&key), kept);
    }

    fn insert(&self, asked: Asked<'_>, kept: Kept) {
        self.kept.insert(Key::of(asked), kept);
    }

    /// Keeps a plan, if it is one that can be kept.
    pub fn keep(&self, asked: Asked<'_>, planned: &Planned) {
        let is_kept = |part: &PlannedPart| part.effect == Effect::None && part.makes.is_none();
        if asked.text.len() > TEXT_BYTES_MAX || !planned.statements.iter().all(is_kept) {
            return;
        }
        let recurring = match planned.statements.as_slice() {
            [only] => recurring_of(asked, only, Arc::clone(&only.text), Vec::new()),
            _ => None,
        };
        self.insert(asked, Kept::Plan(planned.statements.as_slice().into(), recurring));
    }
}

/// A text without literals, as a key: no text that is sent begins like this and has a plan.
fn shape_of(lifted: &Lifted<'_>) -> String {
    let mut shape = lifted.key(|_| true);
    shape.insert(0, '\u{1}');
    shape
}

/// A text without its free literals, as a key.
fn key_of(lifted: &Lifted<'_>, free: &[bool]) -> String {
    let mut key = lifted.key(|number| free.get(number).copied().unwrap_or_default());
    key.insert(0, '\u{2}');
    key
}

/// What may be kept prepared of a plan, as `text` with parameters of these types.
fn recurring_of(
    asked: Asked<'_>,
    part: &PlannedPart,
    text: Arc<str>,
    types: Vec<u32>,
) -> Option<Arc<Recurring>> {
    if !recurring::may_recur(part, &text) {
        return None;
    }
    let source = Source::new(text, types.into(), asked.values);
    source.is_lasting().then(|| Arc::new(Recurring::new(source)))
}

fn template_of(
    asked: Asked<'_>,
    lifted: &Lifted<'_>,
    free: &[bool],
    planned: &Planned,
    plan: impl FnOnce(&str) -> Option<Planned>,
) -> Option<Template> {
    if !template::may_lift(asked.view, &asked.values.search_path, planned) {
        return None;
    }
    let marks = template::marks(lifted);
    if marks.iter().any(|mark| asked.text.contains(mark.as_str())) {
        return None;
    }
    let is_free = |number: usize| free.get(number).copied().unwrap_or_default();
    let marked =
        lifted.with(|number, _| marks.get(number).map(String::as_str).filter(|_| is_free(number)));
    let template = Template::between(lifted, free, planned, &plan(&marked)?)?;
    let part = planned.statements.first()?;
    let recurring = template
        .with_parameters(lifted)
        .and_then(|(text, types)| recurring_of(asked, part, text.into(), types));
    Some(template.recurring_as(recurring))
}

impl Weighter<Key, Kept> for ByBytes {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        let sent = |part: &PlannedPart| {
            part.text.len() + part.probe.as_ref().map_or(0, |probe| probe.len())
        };
        let (texts, count) = match kept {
            Kept::Plan(statements, recurring) => {
                let again = recurring.as_ref().map_or(0, |recurring| recurring.bytes());
                (statements.iter().map(sent).sum::<usize>() + again, statements.len())
            }
            Kept::Template(template) => (template.bytes(), 1),
            Kept::Met | Kept::Free(_) | Kept::Closed => (0, 0),
        };
        let rest = USUAL_BYTES.saturating_mul(count as u64 + 1);
        rest.saturating_add((key.text.len() + texts) as u64)
    }
}

impl Key {
    fn of(asked: Asked<'_>) -> Key {
        Key {
            view: Arc::downgrade(asked.view),
            user: Arc::clone(&asked.who.user),
            acts_for_others: asked.who.acts_for_others,
            search_path: asked.values.search_path.clone(),
            temp_tables: asked.values.temp_tables.clone(),
            text: asked.text.into(),
        }
    }
}

impl<'a> Asked<'a> {
    /// The same for another text.
    fn about<'b>(&self, text: &'b str) -> Asked<'b>
    where
        'a: 'b,
    {
        Asked { text, ..*self }
    }
}

impl Asked<'_> {
    fn is(&self, key: &Key) -> bool {
        std::ptr::eq(Arc::as_ptr(self.view), key.view.as_ptr())
            && self.text == &*key.text
            && self.who.user == key.user
            && self.who.acts_for_others == key.acts_for_others
            && self.values.search_path == key.search_path
            && self.values.temp_tables == key.temp_tables
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(self.view).hash(state);
        self.text.hash(state);
        self.who.user.hash(state);
        self.values.search_path.hash(state);
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
