//! Values of a column, counted by what they look like.

use std::cell::OnceCell;
use std::collections::HashSet;

use super::kind::Kind;
use super::values::{Sure, has_rrn_checksum, inside, looks_like};

/// Values counted by what they look like, each kind when it is first asked for.
pub(super) struct Counts<'v> {
    pub(super) values: &'v [&'v str],
    pub(super) total: usize,
    pub(super) distinct: usize,
    /// What stands inside each: dear, so looked for once.
    inside: OnceCell<Vec<Vec<Kind>>>,
}

impl<'v> Counts<'v> {
    pub(super) fn of(values: &'v [&'v str]) -> Counts<'v> {
        let distinct: HashSet<&&str> = values.iter().collect();
        Counts { values, total: values.len(), distinct: distinct.len(), inside: OnceCell::new() }
    }

    fn part(&self, is_so: impl Fn(&str) -> bool) -> f32 {
        if self.total == 0 {
            return 0.0;
        }
        self.number(is_so) as f32 / self.total as f32
    }

    fn number(&self, is_so: impl Fn(&str) -> bool) -> usize {
        self.values.iter().filter(|value| is_so(value)).count()
    }

    /// That surely are of the kind.
    pub(super) fn share(&self, kind: Kind) -> f32 {
        self.part(|value| looks_like(kind, value) == Some(Sure::Yes))
    }

    /// That may be.
    pub(super) fn likely(&self, kind: Kind) -> f32 {
        self.part(|value| looks_like(kind, value).is_some())
    }

    pub(super) fn checked(&self) -> f32 {
        self.part(has_rrn_checksum)
    }

    pub(super) fn hyphenated(&self) -> f32 {
        self.part(|value| value.contains('-') || value.contains(|c: char| c.is_ascii_uppercase()))
    }

    pub(super) fn random(&self) -> f32 {
        self.part(|value| looks_like(Kind::Token, value).is_some())
    }

    pub(super) fn spaced(&self) -> f32 {
        self.part(|value| value.contains(' '))
    }

    pub(super) fn hangul(&self) -> f32 {
        self.part(|value| value.chars().all(|c| ('가'..='힣').contains(&c)))
    }

    pub(super) fn length_mean(&self) -> f32 {
        let letters: usize = self.values.iter().map(|value| value.chars().count()).sum();
        letters as f32 / self.total.max(1) as f32
    }

    fn inside(&self) -> &[Vec<Kind>] {
        self.inside.get_or_init(|| self.values.iter().map(|value| inside::found(value)).collect())
    }

    fn with_something(&self) -> usize {
        self.inside().iter().filter(|kinds| !kinds.is_empty()).count()
    }

    pub(super) fn inside_share(&self) -> f32 {
        self.with_something() as f32 / self.total.max(1) as f32
    }

    pub(super) fn evidence(&self, kind: Kind) -> String {
        let number = self.number(|value| looks_like(kind, value).is_some());
        format!("values: {number} of {} look like {}", self.total, kind.plural())
    }

    pub(super) fn inside_evidence(&self) -> String {
        let mut kinds: Vec<Kind> = self.inside().iter().flatten().copied().collect();
        kinds.sort();
        kinds.dedup();
        let names: Vec<&str> = kinds.iter().map(|kind| kind.plural()).collect();
        format!("values: {} of {} hold {}", self.with_something(), self.total, names.join(", "))
    }
}
