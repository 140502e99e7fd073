//! A plain client of HTTP with cookies, and no more.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use scrim::demo::sample_password;

/// What does not come for so long never does.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug, Clone)]
pub struct Page {
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Page {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_default()
    }

    /// That of its forms.
    pub fn token(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"token\" value=\"").expect("a form");
        rest.split('"').next().expect("a token").to_owned()
    }

    /// The number of a session of a user, on the page of sessions.
    pub fn session_of(&self, user: &str) -> String {
        let row = self.body.split("<tr>").find(|row| row.contains(&format!(">{user}</td>")));
        let row = row.unwrap_or_else(|| panic!("no {user} in {}", self.body));
        let (_, rest) = row.split_once("<th scope=\"row\">").expect("a number");
        rest.split('<').next().expect("a number").to_owned()
    }
}

/// Somebody with a browser.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub address: SocketAddr,
    pub cookies: BTreeMap<String, String>,
    pub headers: Vec<(String, String)>,
}

impl Visitor {
    pub fn new(address: SocketAddr) -> Visitor {
        Visitor { address, cookies: BTreeMap::new(), headers: Vec::new() }
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn cookie_header(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    pub fn get(&mut self, path: &str) -> Page {
        self.ask("GET", path, &[], "")
    }

    /// With the token of the page that belongs to it.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = self.get("/console/sign-in");
        if form.status == 303 {
            form = self.get("/console/playground");
        }
        let token = form.token();
        let all = [("token", token.as_str())].into_iter().chain(fields.iter().copied());
        let body: Vec<String> =
            all.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let more = [
            ("Origin".to_owned(), format!("http://{}", self.host())),
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ];
        self.ask("POST", path, &more, &body.join("&"))
    }

    pub fn sign_in(&mut self, user: &str) -> Page {
        self.sign_in_as(user, &sample_password(user))
    }

    pub fn sign_in_as(&mut self, user: &str, password: &str) -> Page {
        self.post("/console/sign-in", &[("user", user), ("password", password)])
    }

    fn ask(&mut self, method: &str, path: &str, more: &[(String, String)], body: &str) -> Page {
        let mut headers = vec![("Host".to_owned(), self.host())];
        if !self.cookies.is_empty() {
            headers.push(("Cookie".to_owned(), self.cookie_header()));
        }
        headers.extend(self.headers.iter().chain(more).cloned());
        let page = exchange(self.address, method, path, &headers, body.as_bytes());
        for (name, value) in &page.headers {
            if name == "set-cookie" {
                let (name, rest) = value.split_once('=').expect("a cookie");
                let value = rest.split(';').next().expect("a value");
                match rest.contains("Max-Age=0") {
                    true => drop(self.cookies.remove(name)),
                    false => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
                }
            }
        }
        page
    }
}

/// One request on a connection of its own.
pub fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Page {
    let mut stream = TcpStream::connect(address).expect("admin address");
    stream.set_read_timeout(Some(TIMEOUT)).expect("time-out");
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(request.as_bytes()).expect("a request");
    // Who refuses a body may have closed already.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    // A connection that is closed with a body unread is reset after the answer.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Page { status, headers: headers.collect(), body: body.to_owned() }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
