//! A store of either kind, for one command.

use super::shared::Shared;
use super::store::Store;
use super::{Fault, Place, now};
use crate::grants::Grant;

/// A store, open.
pub enum Ledger {
    /// A file.
    File(Store),
    /// A PostgreSQL.
    Shared(Box<Shared>),
}

impl Ledger {
    /// Opens it; a file is made where there is none, tables are not.
    ///
    /// # Errors
    /// It cannot be opened, or is something else.
    pub async fn open(place: &Place) -> Result<Ledger, Fault> {
        Ok(match place {
            Place::File(path) => Ledger::File(Store::open(path)?),
            Place::Shared(place) => Ledger::Shared(Box::new(Shared::open(place).await?)),
        })
    }

    /// The time by which its grants begin and end.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn now(&mut self) -> Result<i64, Fault> {
        match self {
            Ledger::File(_) => Ok(now()),
            Ledger::Shared(shared) => shared.now().await,
        }
    }

    /// Those that are asked for or in force; with `all`, the others too, the latest last.
    ///
    /// # Errors
    /// They cannot be read, or are something else.
    pub async fn grants(&mut self, all: bool) -> Result<Vec<Grant>, Fault> {
        match self {
            Ledger::File(store) => store.grants(all),
            Ledger::Shared(shared) => shared.grants(all).await,
        }
    }

    /// One more.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn add(&mut self, grant: Grant) -> Result<Grant, Fault> {
        match self {
            Ledger::File(store) => store.add(grant),
            Ledger::Shared(shared) => shared.add(grant).await,
        }
    }

    /// Changes one, by what is decided about it as it stands and at that time.
    ///
    /// # Errors
    /// There is none, or what was decided is that it may not be; it cannot be written.
    pub async fn change(
        &mut self,
        number: u64,
        action: &str,
        decide: impl FnOnce(Grant, i64) -> Result<Grant, String>,
    ) -> Result<Grant, Fault> {
        match self {
            Ledger::File(store) => store.change(number, action, |grant| decide(grant, now())),
            Ledger::Shared(shared) => shared.change(number, action, decide).await,
        }
    }
}
