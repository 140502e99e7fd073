//! One client of the soak: it does one thing after the other, and looks at every byte that it gets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Soak;
use crate::canary;
use crate::dice::Dice;
use crate::harness::client::{Answer, Client, put_string};
use crate::harness::own::{bind, code, execute, parse, run_prepared, value};

/// What is read of the desk, which does not change.
pub const QUERIES: [&str; 6] = [
    "SELECT id, name, email, phone FROM customers WHERE id = 1",
    "SELECT id, name, email, balance FROM customers ORDER BY id LIMIT 40",
    "SELECT status, count(*) FROM orders GROUP BY status ORDER BY status",
    "SELECT c.name, c.card_number, o.total FROM customers c JOIN orders o ON o.customer_id = c.id ORDER BY o.id LIMIT 20",
    "SELECT subject, status FROM tickets WHERE id BETWEEN 2 AND 9 ORDER BY id",
    "SELECT card_number, iban, amount FROM payments ORDER BY id LIMIT 15",
];
/// Every text of a member's own begins with it.
const MARK: &str = "soak-";
const CANCEL_REQUEST: u32 = 80_877_102;
/// A statement that nobody waits for.
const ENDLESS: &str =
    "SELECT count(*) FROM orders a, orders b, orders c, orders d, orders e, orders f, orders g";

type Rows = Vec<Vec<Option<Vec<u8>>>>;

/// The answers to the queries.
pub struct Expected(Vec<Rows>);

impl Expected {
    pub fn ask(client: &mut Client, queries: &[&str]) -> Expected {
        let ask = |query: &&str| {
            let mut answers = client.simple(query);
            let answer = answers.pop().expect("an answer");
            assert!(answer.error.is_none() && !answer.rows.is_empty(), "{query}: {answer:?}");
            answer.rows
        };
        Expected(queries.iter().map(ask).collect())
    }
}

/// One client. It comes back under the same number.
pub struct Member<'a> {
    soak: &'a Soak,
    user: &'static str,
    /// Unlike everybody else's.
    token: String,
    dice: Dice,
}

impl<'a> Member<'a> {
    pub fn new(soak: &'a Soak, number: u64, user: &'static str) -> Member<'a> {
        Member { soak, user, token: format!("{MARK}{number}-"), dice: Dice::new(number) }
    }

    fn is_masked(&self) -> bool {
        self.user != "dba"
    }

    /// To the end of the soak.
    pub fn live(mut self) {
        while self.soak.goes_on() {
            let mut client = self.enter();
            self.session(&mut client);
            self.count("sessions");
            self.leave(client);
        }
    }

    fn enter(&mut self) -> Client {
        let mut client = self.soak.own.connect(self.user);
        let set = format!("SET application_name = '{}'", self.token);
        assert_eq!(code(&client.simple(&set)[0]), "");
        // Everybody's have the same names and other texts.
        for (number, query) in QUERIES.iter().enumerate().take(3) {
            let sql = format!("SELECT '{}{number}', q.* FROM ({query}) q", self.token);
            parse(&mut client, &format!("s{number}"), &sql);
            client.send(b'S', b"");
            assert!(client.answers().iter().all(|answer| answer.error.is_none()));
        }
        client
    }

    fn session(&mut self, client: &mut Client) {
        while self.soak.goes_on() && !self.dice.one_in(30) {
            let pause = self.soak.pause.as_millis() as usize;
            let pause = Duration::from_millis(self.dice.roll(2 * pause + 1) as u64);
            let until = Instant::now() + pause;
            while self.soak.goes_on() && Instant::now() < until {
                let left = until.saturating_duration_since(Instant::now());
                std::thread::sleep(left.min(Duration::from_millis(500)));
            }
            let what = self.act(client);
            self.count(what);
            assert_eq!(client.transaction, b'I', "after {what}");
            self.look(client, what);
        }
    }

    /// Every byte since the last look.
    fn look(&self, client: &mut Client, what: &str) {
        let bytes = client.take_received();
        if self.is_masked() {
            let found = canary::find(&bytes);
            assert!(found.is_empty(), "{what}: {found:?}");
        }
        let (mark, own) = (MARK.as_bytes(), self.token.as_bytes());
        let is_others =
            |(place, window): (usize, &[u8])| window == mark && !bytes[place..].starts_with(own);
        let others = bytes.windows(mark.len()).enumerate().find(|at| is_others(*at));
        assert!(others.is_none(), "{what}: {}", String::from_utf8_lossy(&bytes));
    }

    fn count(&self, what: &'static str) {
        *self.soak.done.lock().expect("counts").entry(what).or_default() += 1;
    }

    fn act(&mut self, client: &mut Client) -> &'static str {
        match self.dice.roll(40) {
            0..8 => self.simple(client),
            8..14 => self.extended(client),
            14..24 => self.prepared(client),
            24..27 => self.cursor(client),
            27..29 => self.portal(client),
            29..31 => self.copy(client),
            31..33 => self.failed(client),
            33 => self.refused(client),
            34..36 => self.settings(client),
            36..38 => match self.user {
                "ana" | "dba" => self.temporary(client),
                "aria" => self.write(client),
                _ => self.simple(client),
            },
            _ if self.dice.one_in(4) => self.cancel(client),
            _ => self.simple(client),
        }
    }

    /// A query with the token in front of each row, and what it gives.
    fn chosen(&mut self) -> (String, Rows) {
        let number = self.dice.roll(QUERIES.len());
        let sql = format!("SELECT '{}', q.* FROM ({}) q", self.token, QUERIES[number]);
        (sql, self.rows(number, ""))
    }

    fn rows(&self, number: usize, after: &str) -> Rows {
        let token = format!("{}{after}", self.token).into_bytes();
        let rows = self.soak.expected[self.user].0[number].iter();
        rows.map(|row| std::iter::once(Some(token.clone())).chain(row.iter().cloned()).collect())
            .collect()
    }

    fn simple(&mut self, client: &mut Client) -> &'static str {
        let (sql, rows) = self.chosen();
        assert_eq!(only(client.simple(&sql)).rows, rows, "{sql}");
        "simple"
    }

    fn extended(&mut self, client: &mut Client) -> &'static str {
        let (sql, rows) = self.chosen();
        let answer = client.extended(&sql, false);
        assert_eq!(answer.rows, rows, "{sql}: {:?}", answer.error);
        "extended"
    }

    fn prepared(&mut self, client: &mut Client) -> &'static str {
        for _ in 0..=self.dice.roll(3) {
            let number = self.dice.roll(3);
            let answer = run_prepared(client, &format!("s{number}"));
            assert_eq!(answer.rows, self.rows(number, &number.to_string()), "{:?}", answer.error);
        }
        "prepared"
    }

    fn cursor(&mut self, client: &mut Client) -> &'static str {
        let declare = format!(
            "BEGIN; DECLARE c CURSOR FOR SELECT '{}' || g FROM generate_series(1, 60) g",
            self.token
        );
        client.simple(&declare);
        for part in 0..3 {
            let rows = only(client.simple("FETCH 7 FROM c")).rows;
            let wanted = (1..=7).map(|n| format!("{}{}", self.token, part * 7 + n).into_bytes());
            assert_eq!(rows, wanted.map(|text| vec![Some(text)]).collect::<Rows>());
        }
        client.simple("CLOSE c; COMMIT");
        "cursor"
    }

    fn portal(&mut self, client: &mut Client) -> &'static str {
        let sql = format!("SELECT '{}' || g FROM generate_series(1, 12) g", self.token);
        parse(client, "", &sql);
        bind(client, "", "");
        (0..3).for_each(|_| execute(client, "", 5));
        client.send(b'S', b"");
        let answers = client.answers();
        let counts: Vec<usize> = answers.iter().map(|answer| answer.rows.len()).collect();
        assert_eq!(counts, [5, 5, 2], "{answers:?}");
        "portal"
    }

    fn copy(&mut self, client: &mut Client) -> &'static str {
        let sql = format!(
            "COPY (SELECT '{}', q.* FROM ({}) q) TO STDOUT (FORMAT csv, DELIMITER '|')",
            self.token, QUERIES[0]
        );
        let copied = only(client.simple(&sql)).copied;
        let row: Vec<String> = self.rows(0, "")[0]
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into())
            .collect();
        assert_eq!(String::from_utf8_lossy(&copied), row.join("|") + "\n");
        "copy"
    }

    fn failed(&mut self, client: &mut Client) -> &'static str {
        let codes = ["BEGIN", "SELECT 1/0", "SELECT 1", "ROLLBACK"]
            .map(|sql| code(&only_or_error(client.simple(sql))).to_owned());
        assert_eq!(codes, ["", "22012", "25P02", ""]);
        "failed"
    }

    fn refused(&mut self, client: &mut Client) -> &'static str {
        let (sql, wanted) = match self.is_masked() {
            true => ("SELECT pg_sleep(1)", "42501"),
            false => ("SELECT nothing_there", "42703"),
        };
        assert_eq!(code(&only_or_error(client.simple(sql))), wanted);
        "refused"
    }

    fn settings(&mut self, client: &mut Client) -> &'static str {
        assert_eq!(value(&only(client.simple("SHOW application_name"))), self.token);
        let digits = self.dice.roll(3).to_string();
        only(client.simple(&format!("SET extra_float_digits = {digits}")));
        assert_eq!(value(&only(client.simple("SHOW extra_float_digits"))), digits);
        "settings"
    }

    fn temporary(&mut self, client: &mut Client) -> &'static str {
        let sql = format!(
            "CREATE TEMP TABLE mine AS SELECT CAST('{}' AS text) AS t, g FROM generate_series(1, 5) g",
            self.token
        );
        only(client.simple(&sql));
        let rows = only(client.simple("SELECT t || g FROM mine ORDER BY g")).rows;
        let wanted = (1..=5).map(|n| vec![Some(format!("{}{n}", self.token).into_bytes())]);
        assert_eq!(rows, wanted.collect::<Rows>());
        only(client.simple("DROP TABLE mine"));
        "temporary"
    }

    /// Nothing of it stays.
    fn write(&mut self, client: &mut Client) -> &'static str {
        only(client.simple("BEGIN"));
        let id = (self.dice.roll(20) + 1).to_string();
        let sql = format!("UPDATE orders SET status = status WHERE id = {id} RETURNING id");
        assert_eq!(value(&only(client.simple(&sql))), id);
        only(client.simple("ROLLBACK"));
        "write"
    }

    fn cancel(&mut self, client: &mut Client) -> &'static str {
        let sql = if self.is_masked() { ENDLESS } else { "SELECT pg_sleep(20)" };
        let mut body = Vec::new();
        put_string(&mut body, sql);
        client.send(b'Q', &body);
        let (key, address) = (client.backend_key.clone(), self.soak.own.address());
        let is_done = Arc::new(AtomicBool::new(false));
        let asking = {
            let is_done = Arc::clone(&is_done);
            // Whether the server has begun by now is not known.
            std::thread::spawn(move || {
                while !is_done.load(Ordering::Relaxed) {
                    cancel(address, &key);
                    std::thread::sleep(Duration::from_millis(100));
                }
            })
        };
        let answer = only_or_error(client.answers());
        is_done.store(true, Ordering::Relaxed);
        asking.join().expect("cancel requests");
        assert_eq!(code(&answer), "57014", "{answer:?}");
        // The last request may have come too late for it, and hits what the same session runs next.
        for _ in 0..3 {
            let answer = only_or_error(client.simple("SELECT 1"));
            assert!(["", "57014"].contains(&code(&answer)), "{answer:?}");
        }
        "cancel"
    }

    /// Politely, or not.
    fn leave(&mut self, mut client: Client) {
        let mut body = Vec::new();
        put_string(&mut body, "SELECT repeat('x', 1000) FROM generate_series(1, 20000)");
        match self.dice.roll(5) {
            // In the middle of an answer.
            0 => client.send(b'Q', &body),
            // In a transaction.
            1 => drop(client.simple("BEGIN; SELECT 1")),
            // In the middle of a message.
            2 => client.send_raw(&[b'Q', 0, 0, 1, 0, b'S']),
            // In a unit without an end.
            3 => parse(&mut client, "", "SELECT 1"),
            _ => client.send(b'X', b""),
        }
    }
}

/// The only answer, which is none of an error.
fn only(answers: Vec<Answer>) -> Answer {
    let answer = only_or_error(answers);
    assert!(answer.error.is_none(), "{answer:?}");
    answer
}

fn only_or_error(mut answers: Vec<Answer>) -> Answer {
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.pop().expect("an answer")
}

fn cancel(address: SocketAddr, key: &[u8]) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let mut packet = (key.len() as u32 + 8).to_be_bytes().to_vec();
    packet.extend(CANCEL_REQUEST.to_be_bytes());
    packet.extend(key);
    let _ = stream.write_all(&packet);
    let _ = stream.read_to_end(&mut Vec::new());
}
