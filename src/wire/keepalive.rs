//! Asking who says nothing whether he is still there: a cable that is pulled says no goodbye.
//!
//! The system asks on idle sockets. A peer that stands still answers, since its system does.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Silence before the first question.
const IDLE: Duration = Duration::from_secs(60);
/// From one question to the next.
const INTERVAL: Duration = Duration::from_secs(10);
/// Questions without an answer, after which the connection is over: two minutes in all.
const QUESTIONS: u32 = 6;
/// What has been sent and nobody acknowledges for so long ends the connection too.
const UNACKNOWLEDGED: Duration = Duration::from_secs(120);

/// Has the peer of a connection asked.
pub fn ask_peer(socket: &TcpStream) -> io::Result<()> {
    let asking =
        TcpKeepalive::new().with_time(IDLE).with_interval(INTERVAL).with_retries(QUESTIONS);
    SockRef::from(socket).set_tcp_keepalive(&asking)
}

/// The same of a server, which takes what it is sent or is not there: a client may be slow to read, and is not gone.
pub fn ask_server(socket: &TcpStream) -> io::Result<()> {
    ask_peer(socket)?;
    SockRef::from(socket).set_tcp_user_timeout(Some(UNACKNOWLEDGED))
}
