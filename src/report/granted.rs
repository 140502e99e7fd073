//! Temporary access in the trail: who was granted what, by whom, and which cells statements could see by it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::words::{Sentence, Word};

/// Cells that a statement could see by a grant.
#[derive(Debug, Deserialize)]
pub struct Opened {
    /// Number of the grant.
    pub grant: u64,
    /// `schema.name`
    pub relation: String,
    /// The column.
    pub column: String,
    /// How many; `None`: in every row that the role sees.
    #[serde(default)]
    pub cells: Option<u64>,
    /// Keys of the rows.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// Something that has happened to a grant.
#[derive(Debug)]
pub struct Happened {
    /// Its number.
    pub grant: u64,
    /// What.
    pub action: String,
    /// By whom.
    pub by: Option<String>,
    /// When.
    pub at: String,
    /// Who has asked.
    pub asked_by: String,
    /// What it opens.
    pub opens: String,
    /// Why.
    pub because: String,
}

/// A grant, as the trail tells it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Granted {
    pub(super) grant: u64,
    pub(super) user: String,
    pub(super) role: String,
    pub(super) asked_by: String,
    pub(super) opens: String,
    pub(super) because: String,
    /// `asked by hana at …`
    pub(super) happened: Vec<Sentence>,
    pub(super) is_break_glass: bool,
    /// Statements that could see something by it.
    pub(super) statements: u64,
    /// Cells that they could see, each time counted; those of which there are no keys are not in it.
    pub(super) cells: u64,
    /// Keys by relation.column; `*`: every row that the role sees.
    pub(super) keys: BTreeMap<String, BTreeSet<String>>,
}

/// What another version of Scrim calls otherwise is told as it stands.
fn step(action: String, by: Option<String>, at: String) -> Sentence {
    match (action.as_str(), by) {
        ("asked", Some(by)) => Sentence::new(Word::StepAsked, vec![by, at]),
        ("approved", Some(by)) => Sentence::new(Word::StepApproved, vec![by, at]),
        ("rejected", Some(by)) => Sentence::new(Word::StepRejected, vec![by, at]),
        ("revoked", Some(by)) => Sentence::new(Word::StepRevoked, vec![by, at]),
        ("break_glass", Some(by)) => Sentence::new(Word::StepBreakGlass, vec![by, at]),
        ("expired", None) => Sentence::new(Word::StepExpired, vec![at]),
        (_, Some(by)) => Sentence::new(Word::StepOfSomebody, vec![action, by, at]),
        (_, None) => Sentence::new(Word::StepOfNobody, vec![action, at]),
    }
}

/// All of them, by number.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    all: BTreeMap<u64, Granted>,
}

impl Grants {
    fn of(&mut self, grant: u64, user: &str, role: &str) -> &mut Granted {
        self.all.entry(grant).or_insert_with(|| Granted {
            grant,
            user: user.to_owned(),
            role: role.to_owned(),
            ..Granted::default()
        })
    }

    /// Something has happened to one.
    pub fn happened(&mut self, user: &str, role: &str, event: Happened) {
        let Happened { grant, action, by, at, asked_by, opens, because } = event;
        let granted = self.of(grant, user, role);
        granted.is_break_glass |= action == "break_glass";
        let step = step(action, by, at);
        // A step may stand there twice: a Scrim that was broken off in between does not know whether it has written it.
        if !granted.happened.contains(&step) {
            granted.happened.push(step);
        }
        (granted.asked_by, granted.opens, granted.because) = (asked_by, opens, because);
    }

    /// A statement could see cells by some.
    pub fn used(&mut self, user: &str, role: &str, opened: &[Opened]) {
        let by: BTreeSet<u64> = opened.iter().map(|cells| cells.grant).collect();
        for grant in by {
            let granted = self.of(grant, user, role);
            granted.statements = granted.statements.saturating_add(1);
            for cells in opened.iter().filter(|cells| cells.grant == grant) {
                let count = cells.cells.unwrap_or_default();
                granted.cells = granted.cells.saturating_add(count);
                let column = format!("{}.{}", cells.relation, cells.column);
                let keys = granted.keys.entry(column).or_default();
                match cells.cells {
                    Some(_) => keys.extend(cells.keys.iter().cloned()),
                    None => drop(keys.insert("*".to_owned())),
                }
            }
        }
    }

    /// In the order of their numbers.
    pub fn told(&self) -> Vec<Granted> {
        self.all.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Language;
    use super::*;

    #[test]
    fn steps_in_both_languages() {
        let told = |action: &str, by: Option<&str>| {
            let step = step(action.into(), by.map(str::to_owned), "10:00".into());
            (step.told(Language::English), step.told(Language::Korean))
        };
        for (action, korean) in [
            ("asked", "10:00에 hana이(가) 요청함"),
            ("approved", "10:00에 hana이(가) 승인함"),
            ("rejected", "10:00에 hana이(가) 거절함"),
            ("revoked", "10:00에 hana이(가) 취소함"),
            ("break_glass", "10:00에 hana이(가) 비상 열람함"),
            ("pondered", "10:00에 hana: pondered"),
        ] {
            let english = format!("{action} by hana at 10:00");
            assert_eq!(told(action, Some("hana")), (english, korean.to_owned()));
        }
        assert_eq!(told("expired", None), ("expired at 10:00".into(), "10:00에 만료됨".into()));
        assert_eq!(told("asked", None), ("asked at 10:00".into(), "10:00에 asked".into()));
    }
}
