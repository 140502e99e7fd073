//! Grants in the console: listed, asked for, decided, by the very rules that `scrim grant` goes by.
//!
//! INVARIANTS: who acts is the person signed in, as the rules have the person now; what may not be done is not; what is done
//! is on record before it is, and is judged once more as the grant stands then.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::runtime::Handle;

use super::asked::Fields;
use super::grants::{self, Said, Standing, Unlisted};
use super::reply::Reply;
use super::visitors::Signed;
use super::words::Word;
use super::{Call, Console, said};
use crate::audit::ConsoleFacts;
use crate::grants::{Grant, How, Wanted, approve, draft, reject, revoke};
use crate::ledger::{Fault, Ledger, Place, now};
use crate::policy::RoleView;
use crate::rules::{RuleSet, User};

/// Why something was not done.
enum NotDone {
    Word(Word),
    Text(String),
}

impl From<String> for NotDone {
    fn from(text: String) -> NotDone {
        NotDone::Text(text)
    }
}

type Decide = fn(Grant, &User, &RuleSet, i64) -> Result<Grant, String>;

/// What may be done to a grant: as a form says it, as the ledger does, and as the audit.
const ACTS: [(&str, &str, &str, Decide); 3] = [
    ("approve", "approved", "approve_grant", approve),
    ("reject", "rejected", "reject_grant", reject),
    ("revoke", "revoked", "revoke_grant", revoke),
];

impl Console {
    /// The list, with a form where the person may act.
    pub(super) async fn grants_page(&self, call: &Call<'_>, rules: &Arc<RuleSet>) -> Reply {
        let done = call.query.text("done").parse::<u64>().ok();
        let said = done.map_or(Said::Nothing, Said::Done);
        self.listed(call, rules, &said, &Fields::default()).await
    }

    async fn listed(
        &self,
        call: &Call<'_>,
        rules: &Arc<RuleSet>,
        said: &Said,
        fields: &Fields,
    ) -> Reply {
        let (all, now) = match self.all_grants().await {
            Ok((all, now)) => (Ok(all), now),
            Err(unlisted) => (Err(unlisted), now()),
        };
        let signed = call.look.signed.as_ref().filter(|signed| signed.rights.grant);
        let user = signed.and_then(|signed| rules.user(&signed.user));
        let standing = Standing { user: user.as_ref(), rules, now };
        let all = all.as_ref().map(Vec::as_slice);
        Reply::page(grants::page(&call.look, all, standing, said, fields))
    }

    /// All of them, and what time it is where they are kept.
    async fn all_grants(&self) -> Result<(Vec<Grant>, i64), Unlisted> {
        let place = self.grants.clone().ok_or(Unlisted::Off)?;
        let listing = with_ledger(place, async |ledger| {
            Ok((ledger.grants(true).await?, ledger.now().await?))
        });
        listing.await.map_err(|fault| Unlisted::Unread(fault.to_string()))
    }

    /// Asks for a grant, or takes one at once for oneself: how loud that is, is up to who follows the store.
    pub(super) async fn ask_grant(
        &self,
        call: &Call<'_>,
        form: &Fields,
        rules: &Arc<RuleSet>,
        signed: &Signed,
        how: How,
    ) -> Reply {
        let act = match how {
            How::Ask => "ask_grant",
            How::BreakGlass => "break_glass",
        };
        let (user, place) = match self.may_grant(call, rules, signed, act, None).await {
            Ok(found) => found,
            Err(reply) => return reply,
        };
        let asked = match how == How::BreakGlass && form.text("aware") != "1" {
            true => Err(NotDone::Word(Word::GlassUnaware)),
            false => self.drafted(form, &user, rules, &place, how).await,
        };
        let grant = match asked {
            Ok(grant) => grant,
            Err(why) => {
                return self.refused(call, form, rules, signed, (act, None), why).await;
            }
        };
        if let Err(reply) = self.record(call, signed, act, |facts| facts).await {
            return reply;
        }
        match with_ledger(place, async |ledger| ledger.add(grant).await).await {
            Ok(grant) => Reply::to(&format!("/console/grants?done={}", grant.number)),
            Err(fault) => {
                let said = Said::Refused(fault.to_string());
                self.listed(call, rules, &said, form).await.status(StatusCode::CONFLICT)
            }
        }
    }

    /// The request, judged by the rules, the catalog and the database.
    async fn drafted(
        &self,
        form: &Fields,
        by: &User,
        rules: &Arc<RuleSet>,
        place: &Place,
        how: How,
    ) -> Result<Grant, NotDone> {
        let Ok(_turn) = self.asking.try_acquire() else { return Err(NotDone::Word(Word::Busy)) };
        let text = |name: &str| form.text(name).trim().to_owned();
        let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
        let masks = form.text("masks").lines().map(str::trim).filter(|line| !line.is_empty());
        let wanted = Wanted {
            user: match how {
                How::Ask => given("user").unwrap_or_else(|| by.name.clone()),
                // For nobody else, whatever a form says.
                How::BreakGlass => by.name.clone(),
            },
            role: given("role"),
            database: self.database.clone(),
            masks: masks.map(str::to_owned).collect(),
            table: given("table"),
            rows: given("rows"),
            widens: form.has("widens"),
            lasts: text("for"),
            because: text("because"),
        };
        let now = time_of(place).await?;
        let mut draft = draft(wanted, by, how, rules, now)?;
        let snapshot = self.snapshot().ok_or(NotDone::Word(Word::NoCatalog))?;
        let view = RoleView::new(draft.role(), Arc::clone(rules), snapshot);
        let view = view.ok_or_else(|| format!("there is no role `{}`", draft.role()))?;
        let found = match draft.question(&view, now)? {
            Some(query) => Some(self.keys(&query).await.ok_or(NotDone::Word(Word::GrantNoAnswer))?),
            None => None,
        };
        // The database may have thought for a while.
        Ok(draft.request(found, &view, by, rules, time_of(place).await?)?)
    }

    /// Approves, rejects or takes back.
    pub(super) async fn decide_grant(
        &self,
        call: &Call<'_>,
        form: &Fields,
        rules: &Arc<RuleSet>,
        signed: &Signed,
    ) -> Reply {
        let act = ACTS.iter().find(|(word, ..)| *word == form.text("act"));
        let number = form.text("number").parse::<u64>().ok();
        let (Some(&(_, action, act, decide)), Some(number)) = (act, number) else {
            return said(&call.look, StatusCode::BAD_REQUEST, Word::BadRequest);
        };
        let (user, place) = match self.may_grant(call, rules, signed, act, Some(number)).await {
            Ok(found) => found,
            Err(reply) => return reply,
        };
        // Looked at first, so that the record says what is done; and judged again where it is.
        let looked = with_ledger(place.clone(), async |ledger| {
            Ok((ledger.grants(true).await?, ledger.now().await?))
        });
        let judged = match looked.await {
            Ok((all, now)) => match all.into_iter().find(|grant| grant.number == number) {
                Some(grant) => decide(grant, &user, rules, now).map(|_| ()),
                None => Err(Fault::NoSuch(number).to_string()),
            },
            Err(fault) => Err(fault.to_string()),
        };
        if let Err(why) = judged {
            let why = NotDone::Text(why);
            return self.refused(call, form, rules, signed, (act, Some(number)), why).await;
        }
        let of_grant = |facts| ConsoleFacts { grant: Some(number), ..facts };
        if let Err(reply) = self.record(call, signed, act, of_grant).await {
            return reply;
        }
        let rules_then = Arc::clone(rules);
        let changed = with_ledger(place, async move |ledger| {
            let decided = |grant, now| decide(grant, &user, &rules_then, now);
            ledger.change(number, action, decided).await
        });
        match changed.await {
            Ok(_) => Reply::to(&format!("/console/grants?done={number}")),
            Err(fault) => {
                let said = Said::Refused(fault.to_string());
                self.listed(call, rules, &said, &Fields::default())
                    .await
                    .status(StatusCode::CONFLICT)
            }
        }
    }

    /// Who acts, and on which store; or the page that says that it may not be.
    async fn may_grant(
        &self,
        call: &Call<'_>,
        rules: &Arc<RuleSet>,
        signed: &Signed,
        act: &'static str,
        grant: Option<u64>,
    ) -> Result<(User, Place), Reply> {
        let user = rules.user(&signed.user).filter(|_| signed.rights.grant);
        let Some(user) = user else {
            let denied = |facts| ConsoleFacts { refused: Some("not_allowed"), grant, ..facts };
            // Refused, whether there is a record of it or not.
            let _ = self.record(call, signed, act, denied).await;
            return Err(said(&call.look, StatusCode::FORBIDDEN, Word::NotAllowed));
        };
        match self.grants.clone() {
            Some(place) => Ok((user, place)),
            None => Err(said(&call.look, StatusCode::NOT_FOUND, Word::GrantsOff)),
        }
    }

    /// The rules, or the grant as it is, are against it.
    async fn refused(
        &self,
        call: &Call<'_>,
        form: &Fields,
        rules: &Arc<RuleSet>,
        signed: &Signed,
        (act, grant): (&'static str, Option<u64>),
        why: NotDone,
    ) -> Reply {
        let refused = |facts| ConsoleFacts { refused: Some("by_the_rules"), grant, ..facts };
        // Not done, whether there is a record of it or not.
        let _ = self.record(call, signed, act, refused).await;
        let said = match why {
            NotDone::Word(word) => Said::Word(word),
            NotDone::Text(text) => Said::Refused(text),
        };
        self.listed(call, rules, &said, form).await.status(StatusCode::CONFLICT)
    }
}

/// What time it is where grants are kept.
async fn time_of(place: &Place) -> Result<i64, NotDone> {
    let asked = with_ledger(place.clone(), async |ledger| ledger.now().await).await;
    asked.map_err(|fault| NotDone::Text(fault.to_string()))
}

/// Does something with the store of grants, where it holds up nobody: a file is read and written on the spot.
async fn with_ledger<T: Send + 'static>(
    place: Place,
    work: impl AsyncFnOnce(&mut Ledger) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let runtime = Handle::current();
    let working = tokio::task::spawn_blocking(move || {
        runtime.block_on(async { work(&mut Ledger::open(&place).await?).await })
    });
    // A panic in there is a fault of Scrim; nothing was committed.
    let lost = || Fault::Refused("the work on the store of grants was given up".to_owned());
    working.await.unwrap_or_else(|_| Err(lost()))
}
