//! A cable between two ends of TCP that a test can cut, stall or make slow, each way by itself.
//!
//! A thread for each direction of each connection copies bytes. What it does with them may change while it runs, and
//! takes effect with the next bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// What becomes of bytes that go one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They pass.
    Free,
    /// They wait, however long.
    Stalled,
    /// One at a time, each so much later than the one before.
    Trickle(Duration),
    /// So many pass, over all connections; then the connection that brings the next one is cut, both ways.
    CutAfter(usize),
}

#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// From who has connected to the target.
    Up,
    /// Back.
    Down,
}

/// One connection of a cable, by a text that goes up there: what Scrim asks for itself has others, which shall stay.
struct Followed {
    text: &'static str,
    /// Its number, once it is known.
    connection: Option<usize>,
    /// How many bytes may still come back, if it is to be cut.
    left: Option<usize>,
}

struct State {
    flows: [Flow; 2],
    followed: Option<Followed>,
    cuts: usize,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic holds it")
    }

    /// How many bytes of these may pass now, and what is waited for behind them; `None`: none ever will.
    fn leave(&self, connection: usize, way: Way, bytes: &[u8]) -> Option<(usize, Duration)> {
        let mut state = self.state();
        if let Some(followed) = &mut state.followed {
            let has_text =
                |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            if matches!(way, Way::Up) && has_text(followed.text) {
                followed.connection = Some(connection);
            }
            let is_it = followed.connection == Some(connection);
            if let (Way::Down, true, Some(left)) = (way, is_it, &mut followed.left) {
                if *left == 0 {
                    state.followed = None;
                    state.cuts += 1;
                    return None;
                }
                let passing = bytes.len().min(*left);
                *left -= passing;
                return Some((passing, Duration::ZERO));
            }
        }
        let bytes = bytes.len();
        loop {
            match &mut state.flows[way as usize] {
                Flow::Free => return Some((bytes, Duration::ZERO)),
                Flow::Trickle(pause) => return Some((1, *pause)),
                Flow::CutAfter(0) => {
                    state.cuts += 1;
                    return None;
                }
                Flow::CutAfter(left) => {
                    let passing = bytes.min(*left);
                    *left -= passing;
                    return Some((passing, Duration::ZERO));
                }
                Flow::Stalled => state = self.changed.wait(state).expect("no panic holds it"),
            }
        }
    }
}

pub struct Cable {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Cable {
    /// From a free address to the target.
    pub fn to(target: SocketAddr) -> Cable {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = State { flows: [Flow::Free; 2], followed: None, cuts: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for (connection, near) in listener.incoming().flatten().enumerate() {
                // The target may be down: then this end is closed too.
                let Ok(far) = TcpStream::connect(target) else { continue };
                for (way, from, to) in [(Way::Up, &near, &far), (Way::Down, &far, &near)] {
                    let (from, to) = (from.try_clone(), to.try_clone());
                    let (from, to) = (from.expect("a socket"), to.expect("a socket"));
                    to.set_nodelay(true).expect("no delay");
                    let shared = Arc::clone(&accepting);
                    std::thread::spawn(move || carry(&shared, connection, way, from, to));
                }
            }
        });
        Cable { address, shared }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, way: Way, flow: Flow) {
        self.shared.state().flows[way as usize] = flow;
        self.shared.changed.notify_all();
    }

    /// From now on the connection over which this text has gone up last is known.
    pub fn follow(&self, text: &'static str) {
        self.shared.state().followed = Some(Followed { text, connection: None, left: None });
    }

    /// That connection is cut when so many bytes more have come back.
    pub fn cut_followed_after(&self, bytes: usize) {
        self.shared.state().followed.as_mut().expect("followed").left = Some(bytes);
    }

    /// It is not cut any more.
    pub fn spare(&self) {
        self.shared.state().followed = None;
    }

    /// How many connections [`Cable::cut_followed_after`] and [`Flow::CutAfter`] have ended.
    pub fn cuts(&self) -> usize {
        self.shared.state().cuts
    }
}

fn carry(shared: &Shared, connection: usize, way: Way, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    'reading: while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let Some((passing, pause)) = shared.leave(connection, way, rest) else {
                break 'reading;
            };
            let (now, later) = rest.split_at(passing);
            if to.write_all(now).is_err() {
                break 'reading;
            }
            std::thread::sleep(pause);
            rest = later;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
