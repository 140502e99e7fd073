//! LISTEN and NOTIFY of the model: `listen C`, `unlisten C`, `unlisten *`, `notify C`, all of which take effect when the
//! transaction commits. Said before ReadyForQuery, or at once where the session is idle.

use std::collections::BTreeSet;

use bytes::{BufMut, BytesMut};

use super::bench::Bench;
use super::{message, run};

/// How the client knows itself, as it knows nobody else.
pub const CLIENT: i32 = 77;
/// Another session, on the server.
const SOMEBODY: i32 = 999;
/// A channel that the role may not hear. The shell of these tests lets its LISTEN through all the same.
pub const FORBIDDEN: &str = "forbidden";

#[derive(Default)]
pub struct Channels {
    /// The server's process id; `None`: this is what a client should see.
    process_id: Option<i32>,
    heard: BTreeSet<String>,
    /// What the transaction does, in order: `true` listens.
    doing: Vec<(bool, String)>,
    /// What it sends.
    sending: Vec<String>,
    /// Has come in, and has not been said.
    waiting: Vec<Waiting>,
    /// All that has been said or could have been, in order.
    pub told: Vec<Told>,
}

struct Waiting {
    sender: i32,
    channel: String,
    /// It would have been said when it came; `None`: it is the session's own, which comes at its commit.
    was_heard: Option<bool>,
}

/// A notification. Whether it is said depends on chance where the client is amid a pipeline that ends with listening to its
/// channel or no longer doing so: a server to which Scrim has not sent that pipeline's beginning is idle for longer.
pub struct Told {
    pub bytes: Vec<u8>,
    pub is_certain: bool,
}

impl Channels {
    pub fn new(process_id: Option<i32>) -> Channels {
        Channels { process_id, ..Channels::default() }
    }

    /// The tag, if it is one of these statements.
    pub fn run(&mut self, text: &str) -> Option<&'static str> {
        let (verb, channel) = text.split_once(' ')?;
        let channel = channel.to_owned();
        match verb {
            "listen" => {
                self.doing.push((true, channel));
                Some("LISTEN")
            }
            "unlisten" => {
                self.doing.push((false, channel));
                Some("UNLISTEN")
            }
            "notify" => {
                // PostgreSQL sends what is alike once.
                if !self.sending.contains(&channel) {
                    self.sending.push(channel);
                }
                Some("NOTIFY")
            }
            _ => None,
        }
    }

    /// The transaction has ended.
    pub fn end(&mut self, is_good: bool) {
        let (doing, sending) = (std::mem::take(&mut self.doing), std::mem::take(&mut self.sending));
        if !is_good {
            return;
        }
        for (listens, channel) in doing {
            match (listens, channel.as_str()) {
                (true, _) => drop(self.heard.insert(channel)),
                (false, "*") => self.heard.clear(),
                (false, _) => drop(self.heard.remove(&channel)),
            }
        }
        let own = self.process_id.unwrap_or(CLIENT);
        self.waiting.extend(sending.into_iter().map(|channel| Waiting {
            sender: own,
            channel,
            was_heard: None,
        }));
    }

    /// Another session has sent something.
    pub fn comes(&mut self, channel: &str) {
        self.waiting.push(Waiting {
            sender: self.process_id.map_or(0, |_| SOMEBODY),
            channel: channel.to_owned(),
            was_heard: Some(self.hears(channel)),
        });
    }

    fn hears(&self, channel: &str) -> bool {
        let is_kept = self.process_id.is_none() && channel == FORBIDDEN;
        self.heard.contains(channel) && !is_kept
    }

    /// Says what has come in; the session is outside a transaction.
    pub fn say(&mut self, out: &mut BytesMut) {
        for Waiting { sender, channel, was_heard } in std::mem::take(&mut self.waiting) {
            let is_heard = self.hears(&channel);
            let is_certain = was_heard.is_none_or(|before| before == is_heard);
            let mut bytes = BytesMut::new();
            notification(&mut bytes, sender, &channel);
            if is_heard {
                out.extend_from_slice(&bytes);
            }
            if is_heard || !is_certain {
                self.told.push(Told { bytes: bytes.to_vec(), is_certain });
            }
        }
    }

    /// True when nobody would hear anything here.
    pub fn is_deaf(&self) -> bool {
        self.heard.is_empty()
    }
}

/// True when all that is certain was said, and nothing but what could have been, in order.
pub fn could_be(said: &[Vec<u8>], told: &[Told]) -> bool {
    let Some((first, rest)) = told.split_first() else { return said.is_empty() };
    let is_said = said.first() == Some(&first.bytes) && could_be(&said[1..], rest);
    is_said || (!first.is_certain && could_be(said, rest))
}

pub fn notification(out: &mut BytesMut, sender: i32, channel: &str) {
    out.put_u8(b'A');
    out.put_i32(i32::try_from(4 + 4 + channel.len() + 1 + 2).unwrap());
    out.put_i32(sender);
    out.extend_from_slice(channel.as_bytes());
    out.extend_from_slice(b"\0p\0");
}

#[test]
fn notifications_of_channels_that_were_asked_for_and_may_be_heard() {
    let mut bench = Bench::shared(2);
    bench.somebody_notifies("a");
    assert_eq!(run(&mut bench, &["Q listen a", "Q listen forbidden"]), "C ZI C ZI");
    bench.somebody_notifies("a");
    bench.somebody_notifies("b");
    bench.somebody_notifies("forbidden");
    // At once, and whoever else it was is nobody.
    while bench.deliver(usize::MAX) > 0 {}
    let mut expected = BytesMut::new();
    notification(&mut expected, 0, "a");
    assert_eq!(bench.to_client.split(), expected);
    // Behind the answer, and before the server is ready again; the client's own under its own number.
    assert_eq!(run(&mut bench, &["Q notify a"]), "C A ZI");
    assert_eq!(run(&mut bench, &["Q begin", "Q notify a", "Q commit"]), "C ZT C ZT C A ZI");
    bench.send(&message("Q notify a"));
    while bench.deliver(usize::MAX) > 0 {}
    let mut own = BytesMut::new();
    notification(&mut own, CLIENT, "a");
    assert!(bench.to_client.windows(own.len()).any(|part| part == own));
    bench.to_client.clear();
    // What was heard before is heard again, where the transaction has failed.
    assert_eq!(run(&mut bench, &["P s unlisten a", "B - s", "E - 0", "H"]), "1 2 C");
    bench.somebody_notifies("a");
    assert_eq!(run(&mut bench, &["P t bad", "S"]), "E42P01 A ZI");
    assert_eq!(run(&mut bench, &["Q unlisten *"]), "C ZI");
    bench.somebody_notifies("a");
    assert_eq!(run(&mut bench, &["Q ok 0"]), "T C ZI");
}
