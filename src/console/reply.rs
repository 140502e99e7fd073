//! An answer, with the headers that every one of them has.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::words::{Language, Word};

/// What a page may load: our own style and script, and answers to the script; nothing may stand inside it, and it may
/// stand inside nothing.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("style.css");
const FOLLOW: &str = include_str!("follow.js");
const ICON: &str = include_str!("icon.svg");

const HTML: &str = "text/html; charset=utf-8";

/// An answer.
pub struct Reply {
    status: StatusCode,
    kind: &'static str,
    body: String,
    location: Option<String>,
    cookies: Vec<Cookie>,
}

impl Reply {
    /// A page.
    pub fn page(body: String) -> Reply {
        Reply { status: StatusCode::OK, kind: HTML, body, location: None, cookies: Vec::new() }
    }

    /// One line, for who is not one of our pages.
    pub fn plain(status: StatusCode, word: Word) -> Reply {
        let body = format!("{}\n", word.of(Language::English));
        Reply { status, kind: "text/plain; charset=utf-8", ..Reply::page(body) }
    }

    /// The way to an address of the console, to be asked for by GET.
    pub fn to(path: &str) -> Reply {
        let location = Some(path.to_owned());
        Reply { status: StatusCode::SEE_OTHER, location, ..Reply::page(String::new()) }
    }

    /// What pages load.
    pub fn asset(path: &str) -> Option<Reply> {
        let (kind, text) = match path {
            "/console/assets/style.css" => ("text/css; charset=utf-8", STYLE),
            "/console/assets/follow.js" => ("text/javascript; charset=utf-8", FOLLOW),
            "/console/assets/icon.svg" => ("image/svg+xml", ICON),
            _ => return None,
        };
        Some(Reply { kind, ..Reply::page(text.to_owned()) })
    }

    /// With another status.
    pub fn status(self, status: StatusCode) -> Reply {
        Reply { status, ..self }
    }

    /// With a cookie.
    pub fn with_cookie(mut self, cookie: Cookie) -> Reply {
        self.cookies.push(cookie);
        self
    }

    /// As it is sent.
    pub fn into_response(self, is_head: bool) -> Response<Body> {
        let body = if is_head { Body::empty() } else { Body::from(self.body) };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        const FIXED: [(HeaderName, &str); 7] = [
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            // Not `no-referrer`: a form would not say then where it comes from.
            (header::REFERRER_POLICY, "same-origin"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        for (name, value) in FIXED {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        let location = self.location.and_then(|location| HeaderValue::from_str(&location).ok());
        if let Some(location) = location {
            headers.insert(header::LOCATION, location);
        }
        for cookie in self.cookies {
            if let Ok(value) = HeaderValue::from_str(&cookie.text()) {
                headers.append(header::SET_COOKIE, value);
            }
        }
        response
    }
}

/// A cookie that is set.
pub struct Cookie {
    name: String,
    value: String,
    /// Seconds that it stays; `None`: while the browser is open.
    age: Option<u32>,
    is_secure: bool,
}

/// A year.
const KEPT_SECONDS: u32 = 365 * 24 * 3600;

impl Cookie {
    /// The name of a cookie that nobody else may set, where browsers know how to see to that.
    pub fn name(base: &str, is_secure: bool) -> String {
        if is_secure { format!("__Host-{base}") } else { base.to_owned() }
    }

    /// Gone with the browser.
    pub fn session(name: String, value: String) -> Cookie {
        Cookie { name, value, age: None, is_secure: false }
    }

    /// Gone at once.
    pub fn gone(name: String) -> Cookie {
        Cookie { name, value: String::new(), age: Some(0), is_secure: false }
    }

    /// Kept for a year.
    pub fn kept(name: &str, value: &str) -> Cookie {
        let (name, value) = (name.to_owned(), value.to_owned());
        Cookie { name, value, age: Some(KEPT_SECONDS), is_secure: false }
    }

    /// Over TLS only, where it came so.
    pub fn secure(self, is_secure: bool) -> Cookie {
        Cookie { is_secure, ..self }
    }

    fn text(&self) -> String {
        let Cookie { name, value, .. } = self;
        let age = self.age.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{age}{secure}")
    }
}
