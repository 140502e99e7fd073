//! Sessions made by dice, held against PostgreSQL's own answers: messages in any order, legal or not, in pipelines of any
//! length.
//!
//! A masked session and an untouched one hear what PostgreSQL says to the same messages where the table holds what the role sees.
//! Two sessions of a kind play at once, on as few server connections, so that those go from one to the other. A fixed
//! number from fixed seeds runs in CI; `cargo xtask fuzz-messages` goes on until it is stopped (`SCRIM_FUZZ_SECONDS`,
//! `SCRIM_SEED`). What deviates is made smaller while it still deviates.

mod script;

use std::time::{Duration, Instant};

use scrim::demo::sample_password;

use crate::dice::Dice;
use crate::harness::client::{Client, Frame, text};
use crate::harness::own::Own;
use script::Act;

/// Pairs of sessions of each kind.
const SESSIONS: u64 = 50;
/// Of a hundred statements so many must have been completed, or the generator proves nothing.
const COMPLETED_PERCENT_MIN: usize = 40;
const SHRINK_ATTEMPTS: usize = 400;
/// No script has so many CloseComplete in a row, so behind them everything has been answered.
const MET: usize = 7;

/// Who plays, and what the table is called past Scrim that holds what that one sees.
const KINDS: &[(&str, &str)] = &[("alice", "shown.customers"), ("dba", "public.customers")];

struct Stage {
    own: Own,
}

impl Stage {
    fn open(mode: &str) -> Stage {
        let own = Own::open(&format!("pool: {{mode: {mode}, size: 2}}\n"));
        let mut alice = own.connect("alice");
        let seen = "SELECT id, email, phone, region FROM public.customers ORDER BY id";
        let answer = alice.simple(seen).remove(0);
        assert!(answer.error.is_none() && answer.rows.len() > 3, "{answer:?}");
        let stage = Stage { own };
        let mut direct = stage.direct();
        let made = "CREATE SCHEMA shown; CREATE TABLE shown.customers AS SELECT id, email, phone, region FROM public.customers LIMIT 0";
        assert!(direct.simple(made).iter().all(|answer| answer.error.is_none()));
        for row in answer.rows {
            let value = |value: Option<Vec<u8>>| match value {
                Some(value) => format!("'{}'", text(&value).replace('\'', "''")),
                None => "NULL".to_owned(),
            };
            let values: Vec<String> = row.into_iter().map(value).collect();
            let insert = format!("INSERT INTO shown.customers VALUES ({})", values.join(", "));
            let done = direct.simple(&insert).remove(0);
            assert!(done.error.is_none(), "{done:?}");
        }
        stage
    }

    fn direct(&self) -> Client {
        let server = self.own.desk.server();
        Client::connect_unix(server.socket_folder(), server.port(), "postgres", "desk")
    }

    fn scrim(&self, user: &str) -> Client {
        Client::connect(self.own.address(), user, &sample_password(user), "desk", &[])
            .unwrap_or_else(|error| panic!("{error:?}: {}", self.own.said()))
    }

    /// What PostgreSQL says to either of two who play at once, and what is otherwise.
    fn play(&self, user: &str, shown: &'static str, scripts: &[Vec<Act>; 2]) -> Played {
        let expected = [0, 1].map(|which| {
            let mut player = Player::new(self.direct(), shown);
            scripts[which].iter().for_each(|act| player.play(act));
            player.end()
        });
        let mut players = [0, 1].map(|_| Player::new(self.scrim(user), "public.customers"));
        for index in 0..scripts[0].len().max(scripts[1].len()) {
            for (player, script) in players.iter_mut().zip(scripts) {
                if let Some(act) = script.get(index) {
                    player.play(act);
                }
            }
        }
        let found = players.map(Player::end);
        let difference = (0..2).find_map(|which| {
            let (expected, found) = (&expected[which][..], &found[which][..]);
            match scripts[which].last().is_some_and(Act::is_forbidden) {
                true => difference_until_sent_away(expected, found),
                false => difference(expected, found),
            }
        });
        Played { said: expected.concat(), difference }
    }

    /// Acts are left out while it still differs.
    fn shrunk(&self, user: &str, shown: &'static str, mut scripts: [Vec<Act>; 2]) -> String {
        let mut attempts = 0;
        let mut size = scripts[0].len().max(scripts[1].len());
        while size > 0 && attempts < SHRINK_ATTEMPTS {
            for which in 0..2 {
                let mut start = 0;
                while start < scripts[which].len() && attempts < SHRINK_ATTEMPTS {
                    let end = (start + size).min(scripts[which].len());
                    let mut fewer = scripts.clone();
                    fewer[which].drain(start..end);
                    attempts += 1;
                    match self.play(user, shown, &fewer).difference {
                        Some(_) => scripts = fewer,
                        None => start = end,
                    }
                }
            }
            size /= 2;
        }
        let why = self.play(user, shown, &scripts).difference;
        let why = why.unwrap_or_else(|| "only now and then".to_owned());
        let told =
            scripts.map(|acts| acts.iter().map(|act| format!("  {act:?}\n")).collect::<String>());
        format!("{user}: {why}\none:\n{}the other:\n{}", told[0], told[1])
    }
}

/// What came of it.
struct Played {
    /// What PostgreSQL has said.
    said: Vec<String>,
    difference: Option<String>,
}

/// Someone who sends, and hears.
struct Player {
    client: Client,
    customers: &'static str,
    heard: Vec<String>,
    has_ended: bool,
}

impl Player {
    fn new(client: Client, customers: &'static str) -> Player {
        Player { client, customers, heard: Vec::new(), has_ended: false }
    }

    fn play(&mut self, act: &Act) {
        match act {
            Act::Meet => self.meet(),
            act => self.send(&act.message(self.customers)),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.has_ended = self.has_ended || self.client.try_send(bytes).is_err();
    }

    /// Waits for everything that is due.
    fn meet(&mut self) {
        let close = Act::Close(b'P', "nobody").message("");
        self.send(&Act::Sync.message(""));
        (0..MET).for_each(|_| self.send(&close));
        self.send(&Act::Sync.message(""));
        let mut closed = 0;
        while closed < MET {
            let Some(frame) = self.client.next_frame() else {
                self.heard.push("end".into());
                self.has_ended = true;
                return;
            };
            closed = if frame.kind == b'3' { closed + 1 } else { 0 };
            self.heard.extend(told(&frame));
        }
    }

    fn end(mut self) -> Vec<String> {
        if !self.has_ended {
            self.meet();
        }
        self.heard
    }
}

/// What a message says, as far as it must be the same. Parameters come when the server connection changes, too.
fn told(frame: &Frame) -> Option<String> {
    let kind = char::from(frame.kind);
    Some(match kind {
        'S' => return None,
        'E' | 'N' => {
            let field = |kind: u8| {
                let mut fields = frame.body.split(|byte| *byte == 0);
                let field = fields.find(|field| field.first() == Some(&kind));
                text(field.and_then(|field| field.get(1..)).unwrap_or_default())
            };
            format!("{kind} {} {}", field(b'V'), field(b'C'))
        }
        'T' => format!("T {:?}", columns(&frame.body)),
        _ => format!("{kind} {:?}", text(&frame.body)),
    })
}

/// Names, types and formats: where a column comes from is not told of masked ones.
fn columns(body: &[u8]) -> Vec<(String, [u8; 4], [u8; 2])> {
    let mut rest = &body[2..];
    let mut columns = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let name = text(&rest[..end]);
        // Table (4), column (2), type (4), length (2), modifier (4), format (2).
        let about = &rest[end + 1..end + 19];
        let kind = about[6..10].try_into().expect("4 bytes");
        columns.push((name, kind, about[16..18].try_into().expect("2 bytes")));
        rest = &rest[end + 19..];
    }
    columns
}

/// What is known to be otherwise.
fn is_known(expected: &str, found: &str) -> bool {
    match found {
        // A name that is taken is told before the text is read.
        "E ERROR 42P05" => expected.starts_with("E ERROR"),
        // What is not there is told before the transaction is asked whether it has failed,
        "E ERROR 42P01" | "E ERROR 42703" => expected == "E ERROR 25P02",
        // a portal is one only if its Bind went well, and PostgreSQL's Query leaves its own behind where it fails,
        "E ERROR 34000" => expected.starts_with("E ERROR") || expected == "I \"\"",
        // or whether the portal of a DEALLOCATE can run once more.
        "E ERROR 26000" => matches!(expected, "E ERROR 25P02" | "E ERROR 55000"),
        // What this server connection does not have cannot be prepared there in a failed transaction.
        "E ERROR 25P02" => expected.starts_with("E ERROR"),
        _ => false,
    }
}

/// Who does not keep to the protocol has to go at once, before all is answered; PostgreSQL forgives some of it.
fn difference_until_sent_away(expected: &[String], found: &[String]) -> Option<String> {
    let ended = found.iter().position(|said| said == "E FATAL 08P01").unwrap_or(usize::MAX);
    difference(expected.get(..ended).unwrap_or(expected), found.get(..ended).unwrap_or(found))
}

/// The first place where two differ.
fn difference(expected: &[String], found: &[String]) -> Option<String> {
    let differ =
        |(expected, found): (&String, &String)| expected != found && !is_known(expected, found);
    let place = expected.iter().zip(found).position(differ);
    let place = match place {
        Some(place) => place,
        None if expected.len() == found.len() => return None,
        None => expected.len().min(found.len()),
    };
    let around = |all: &[String]| {
        all.iter().skip(place.saturating_sub(4)).take(9).cloned().collect::<Vec<_>>().join("\n    ")
    };
    Some(format!("PostgreSQL\n    {}\n  Scrim\n    {}", around(expected), around(found)))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn sessions_made_by_dice_hear_what_postgresql_says() {
    let stages = ["transaction", "session"].map(Stage::open);
    let (mut wrong, mut completed, mut failed) = (Vec::new(), 0, 0);
    let began = Instant::now();
    let seconds = number("SCRIM_FUZZ_SECONDS").map(Duration::from_secs);
    let first = number("SCRIM_SEED").unwrap_or(1);
    let mut seed = first;
    while wrong.len() < 5
        && match seconds {
            Some(seconds) => began.elapsed() < seconds,
            None => seed - first < SESSIONS,
        }
    {
        // Each mode of the pool in turn.
        let stage = &stages[usize::from(seed.is_multiple_of(2))];
        for (user, shown) in KINDS {
            let mut dice = Dice::new(seed);
            let scripts = [script::write(&mut dice), script::write(&mut dice)];
            let played = stage.play(user, shown, &scripts);
            let count =
                |kind: &str| played.said.iter().filter(|said| said.starts_with(kind)).count();
            completed += count("C ") + count("s ");
            failed += count("E ");
            if played.difference.is_some() {
                wrong.push(format!("seed {seed}, {}", stage.shrunk(user, shown, scripts)));
            }
        }
        seed += 1;
    }
    println!("up to seed {seed}: {completed} statements completed, {failed} failed");
    assert!(wrong.is_empty(), "{} deviate:\n\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(completed * 100 >= (completed + failed) * COMPLETED_PERCENT_MIN);
}
