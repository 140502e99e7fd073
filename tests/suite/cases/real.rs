//! Each attack is one: run past Scrim, on the true database, it gives what Scrim does not.
//!
//! An attack is real when, as the service account itself or as a superuser, it brings out a mark; or answers otherwise than the masked
//! copy; or is refused by Scrim and does succeed here. The rest stands on the pages for another reason: it must fail
//! in the same words as for a thing that never was, needs what a private server has not, or is about
//! the reading of texts. Their number is bounded, so that the pages do not fill with what proves nothing.

use super::page::{Case, Expectation};
use super::{pages, run};
use scrim::demo::SAMPLE_PSEUDONYM_KEY;
use scrim::mask::key_settings;

use crate::canary;
use crate::cases::compare;
use crate::harness::client::{Answer, Client, Form};
use crate::harness::start_desk;
use crate::masked_copy::masked_copy;

/// Of all attacks, so many percent at least must be shown to be real.
const REAL_PERCENT_MIN: usize = 75;

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn attacks_are_real() {
    // A server of its own: what the attacks do, they do here.
    let server = start_desk();
    let mut all = 0;
    let mut unreal = Vec::new();
    for (_, page) in pages("attacks") {
        for case in page.cases.iter().filter(|case| case.role != "admin" && !case.is_missing()) {
            all += 1;
            let connect = |login| {
                let key = key_settings(SAMPLE_PSEUDONYM_KEY.as_bytes());
                let key = key.each_ref().map(|(name, value)| (*name, value.as_str()));
                let (folder, port) = (server.socket_folder(), server.port());
                Client::connect_unix_with(folder, port, login, "desk", &key)
            };
            // A connection that the attack ends is an effect too.
            let as_login =
                |login| std::panic::catch_unwind(|| is_real(case, connect(login))).unwrap_or(true);
            // A superuser where rights are missing, but not over files and programs of this machine.
            let words = case.sql.to_ascii_lowercase();
            let harmless = !words.contains("copy") && !words.contains("load");
            if !(as_login("scrim") || harmless && as_login("postgres")) {
                unreal.push(format!(
                    "tests/{}:{} {}",
                    page.name,
                    case.line,
                    case.headings.join(" › ")
                ));
            }
        }
    }
    println!("{} of {all} attacks are not shown to be real:\n{}", unreal.len(), unreal.join("\n"));
    assert!((all - unreal.len()) * 100 >= all * REAL_PERCENT_MIN, "{} of {all}", unreal.len());
}

fn is_real(case: &Case, mut direct: Client) -> bool {
    direct.take_received();
    let answers = attempt(case, &mut direct);
    if !canary::find(&direct.take_received()).is_empty() {
        return true;
    }
    let refused = case.expected.iter().any(|e| matches!(e, Expectation::Refused { .. }));
    if refused {
        return answers.iter().all(|answer| answer.error.is_none());
    }
    let copy = masked_copy(&case.role);
    let expected = attempt(case, &mut copy.connect());
    !compare::differences(&expected, &answers, false, &copy.row_types).is_empty()
}

/// In a transaction that ends with the connection, unless the attack has transactions of its own.
fn attempt(case: &Case, client: &mut Client) -> Vec<Answer> {
    client.simple("SET statement_timeout = 2000");
    if let Some(path) = &case.search_path {
        client.simple(&format!("SET search_path TO {path}"));
    }
    let words = case.sql.to_ascii_lowercase();
    let own = ["begin", "commit", "rollback", "start transaction", "vacuum", "prepare transaction"];
    let wrapped = !own.iter().any(|word| words.contains(word));
    if wrapped {
        client.simple("BEGIN");
    }
    client.take_received();
    client.run(Form::Simple, &case.sql, &run::statements(&case.sql))
}
