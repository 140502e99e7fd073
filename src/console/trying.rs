//! A statement of the playground: explained, and asked in a session of Scrim.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;

use super::asked::Fields;
use super::playground::{self, ANSWER_BYTES_MAX, ROWS_MAX, SQL_BYTES_MAX, Told, Tried, Wanted};
use super::reply::Reply;
use super::visitors::Signed;
use super::words::Word;
use super::{Call, Console, said};
use crate::audit::ConsoleFacts;
use crate::catalog::SearchPath;
use crate::explain::{self, Asked, Explanation, stated};
use crate::rules::RuleSet;
use crate::trials::{self, Answer, Bounds, NoAnswer};
use crate::upstream::{ServerConnection, UpstreamError};

/// From the greeting of a session to its welcome.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);
/// A statement that takes longer is cancelled.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);
/// As which these sessions are known.
const APPLICATION: &str = "scrim console";

const BOUNDS: Bounds = Bounds { rows: ROWS_MAX, bytes: ANSWER_BYTES_MAX };

impl Console {
    /// What the form of the playground asks for.
    pub(super) async fn play(
        &self,
        call: &Call<'_>,
        form: &Fields,
        rules: &Arc<RuleSet>,
        signed: &Signed,
    ) -> Reply {
        let look = &call.look;
        let wanted = Wanted::read(form);
        let refused = |status, word| {
            Reply::page(playground::page(look, rules, Some(&wanted), &[], Some(word)))
                .status(status)
        };
        if wanted.sql.len() > SQL_BYTES_MAX {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, Word::PlaygroundTooLong);
        }
        let beside = wanted.beside.iter().filter(|beside| **beside != wanted.role);
        let roles: Vec<&String> = std::iter::once(&wanted.role).chain(beside).collect();
        if roles.iter().any(|role| !rules.roles.contains_key(*role)) {
            return refused(StatusCode::BAD_REQUEST, Word::PlaygroundUnknownRole);
        }
        if wanted.is_run && !signed.rights.may_try {
            let denied = |facts| ConsoleFacts {
                refused: Some("not_allowed"),
                role: Some(wanted.role.clone()),
                ..facts
            };
            // Refused, whether there is a record of it or not.
            let _ = self.record(call, signed, "try", denied).await;
            return said(look, StatusCode::FORBIDDEN, Word::NotAllowed);
        }
        let Ok(_turn) = self.trials.try_acquire() else {
            return refused(StatusCode::SERVICE_UNAVAILABLE, Word::Busy);
        };
        let mut all = Vec::new();
        for role in roles {
            let explained = match self.explain(&wanted, role, rules).await {
                Some(explained) => explained,
                None => return refused(StatusCode::SERVICE_UNAVAILABLE, Word::NoCatalog),
            };
            let answer = match (wanted.is_run, signed.roles.contains(role)) {
                (false, _) => None,
                // What a session could not state, or could not begin with, is told already.
                (true, _) if explained.is_err() => None,
                (true, false) => Some(Err(Told::Said(Word::PlaygroundNotOwn))),
                (true, true) => {
                    let of_role = |facts| ConsoleFacts { role: Some(role.clone()), ..facts };
                    if let Err(reply) = self.record(call, signed, "try", of_role).await {
                        return reply;
                    }
                    Some(self.ask(call, &wanted, role, signed).await)
                }
            };
            all.push(Tried { role: role.clone(), explained, answer });
        }
        Reply::page(playground::page(look, rules, Some(&wanted), &all, None))
    }

    /// `None`: there is no catalog yet.
    async fn explain(
        &self,
        wanted: &Wanted,
        role: &str,
        rules: &Arc<RuleSet>,
    ) -> Option<Result<Explanation, String>> {
        let snapshot = self.lease.snapshot()?;
        let known = rules.roles.get(role)?;
        let stated = match stated(known, wanted.purpose.as_deref(), &wanted.details) {
            Ok(stated) => stated,
            Err(text) => return Some(Err(text)),
        };
        let (role, text, rules) = (role.to_owned(), wanted.sql.clone(), Arc::clone(rules));
        let on_the_wire = self.masks_on_the_wire;
        let explaining = tokio::task::spawn_blocking(move || {
            let search_path = SearchPath::default();
            let asked =
                Asked { role: &role, stated: &stated, search_path: &search_path, on_the_wire };
            explain::statement(&asked, &text, rules, snapshot)
        });
        let explained =
            explaining.await.unwrap_or_else(|_| Err("error: a fault of Scrim".to_owned()));
        Some(explained.map(|(explanation, _)| explanation))
    }

    async fn ask(
        &self,
        call: &Call<'_>,
        wanted: &Wanted,
        role: &str,
        signed: &Signed,
    ) -> Result<Answer, Told> {
        let text = |error: &dyn std::fmt::Display| Told::Text(error.to_string());
        let mut parameters = vec![
            ("application_name".to_owned(), APPLICATION.to_owned()),
            ("scrim.role".to_owned(), role.to_owned()),
        ];
        parameters.extend(wanted.purpose.iter().map(|it| ("scrim.purpose".to_owned(), it.clone())));
        // The user is who is signed in, whatever a detail is called.
        let details = wanted.details.iter().filter_map(|detail| detail.split_once('='));
        let details = details.filter(|(name, _)| *name != "user");
        parameters.extend(details.map(|(name, value)| (format!("scrim.{name}"), value.to_owned())));
        let stage = self.stage.clone();
        let socket = self.proxy.session_of(&signed.user, call.client, stage);
        let socket = socket.map_err(|error| text(&error))?;
        let opening = ServerConnection::over(
            socket,
            &signed.user,
            &self.database,
            &parameters,
            LOGIN_TIMEOUT,
        );
        let mut connection = opening.await.map_err(|error| match error {
            UpstreamError::Refused { code, message } => Told::Text(format!("{code} {message}")),
            other => text(&other),
        })?;
        let asking = async {
            let begun = trials::ask(&mut connection, "BEGIN READ ONLY", &[], BOUNDS).await?;
            if begun.error.is_some() {
                return Ok(begun);
            }
            let answer = trials::ask(&mut connection, &wanted.sql, &[], BOUNDS).await?;
            trials::ask(&mut connection, "ROLLBACK", &[], BOUNDS).await?;
            Ok(answer)
        };
        // Given up, the connection goes, and Scrim cancels what still runs.
        match tokio::time::timeout(STATEMENT_TIMEOUT, asking).await {
            Err(_) => Err(Told::Said(Word::TookTooLong)),
            Ok(Err(NoAnswer(why))) => Err(Told::Text(why)),
            Ok(Ok(answer)) => {
                trials::leave(connection).await;
                Ok(answer)
            }
        }
    }
}
