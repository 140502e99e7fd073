//! A request, read within limits, and whether it may have come from one of our own pages.
//!
//! The address is one that any page of any site can make a browser send something to. So: the name by which we are asked
//! for must be ours (a name that an attacker lets point here is not), and what changes something must say that it comes
//! from our own pages, by `Origin` or `Sec-Fetch-Site`, and by a token that only those hold.
//! <https://owasp.org/www-community/attacks/DNS_rebinding>, <https://www.w3.org/TR/fetch-metadata/>

use axum::http::{HeaderMap, HeaderName, Uri, header};

/// Fields of a form or a query that are looked at.
const FIELDS_MAX: usize = 256;
/// Bytes of the cookies of a request.
const COOKIE_BYTES_MAX: usize = 8 * 1024;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Names and values of a form or a query.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// As `application/x-www-form-urlencoded`; what is no UTF-8 is replaced. `None`: there are too many.
    pub fn read(bytes: &[u8]) -> Option<Fields> {
        let mut fields = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if fields.len() >= FIELDS_MAX {
                return None;
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Some(Fields(fields))
    }

    /// The first of a name; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// True where it is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// All of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The value of a cookie; of several of that name the first.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let texts = texts.filter(|text| text.len() <= COOKIE_BYTES_MAX);
    let mut pairs = texts.flat_map(|text| text.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// By which name we are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As a browser says where our pages come from.
    pub origin: String,
    /// A proxy with TLS stands between.
    pub is_secure: bool,
}

/// The place that a request names. `None`: it is not ours.
pub fn place(headers: &HeaderMap, uri: &Uri, origins: &[String]) -> Option<Place> {
    if uri.authority().is_some() {
        // A proxy is asked like this, and we are none.
        return None;
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?.to_ascii_lowercase();
    if hosts.next().is_some() {
        return None;
    }
    if let Some(origin) =
        origins.iter().find(|origin| origin.strip_prefix("https://") == Some(&host))
    {
        return Some(Place { origin: origin.clone(), is_secure: true });
    }
    is_loopback(&host).then(|| Place { origin: format!("http://{host}"), is_secure: false })
}

/// With any port: `ssh -L` brings its own.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// True where a request says that it comes from a page of ours; one that says nothing does not.
pub fn is_from_here(headers: &HeaderMap, place: &Place) -> bool {
    let said = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let first = values.next().map(|value| value.to_str().unwrap_or("?"));
        // Two of them are no answer.
        if values.next().is_some() { Some("?") } else { first }
    };
    let (origin, site) = (said(&header::ORIGIN), said(&FETCH_SITE));
    let is_here = |origin: &str| origin == place.origin;
    (origin.is_some() || site.is_some())
        && origin.is_none_or(is_here)
        && site.is_none_or(|site| site == "same-origin")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_our_own_names_are_ours() {
        let ours = ["https://scrim.example.com".to_owned()];
        let place = |list: &[(&'static str, &str)]| {
            place(&headers(list), &Uri::from_static("/console"), &ours)
        };
        for host in ["127.0.0.1:6433", "localhost", "LOCALHOST:80", "[::1]:6433"] {
            let found = place(&[("host", host)]).unwrap();
            assert_eq!(found.origin, format!("http://{}", host.to_ascii_lowercase()));
            assert!(!found.is_secure);
        }
        assert!(place(&[("host", "scrim.example.com")]).unwrap().is_secure);
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:6433",
            "scrim.example.com:80",
            "scrim.example.com.",
            "127.0.0.1:",
            "127.0.0.2",
            "localhost:80:80",
            "",
        ] {
            assert_eq!(place(&[("host", host)]), None, "{host}");
        }
        assert_eq!(place(&[]), None);
        assert_eq!(place(&[("host", "localhost"), ("host", "localhost")]), None);
        let absolute = Uri::from_static("http://localhost/console");
        assert_eq!(super::place(&headers(&[("host", "localhost")]), &absolute, &ours), None);
    }

    #[test]
    fn what_changes_something_says_where_it_comes_from() {
        let here = Place { origin: "http://localhost:6433".to_owned(), is_secure: false };
        for (list, is_good) in [
            (&[][..], false),
            (&[("origin", "http://localhost:6433")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("origin", "http://localhost:6433"), ("sec-fetch-site", "same-origin")], true),
            (&[("origin", "http://localhost:6433"), ("sec-fetch-site", "same-site")], false),
            (&[("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://localhost:6433")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")], false),
        ] {
            assert_eq!(is_from_here(&headers(list), &here), is_good, "{list:?}");
        }
    }

    #[test]
    fn fields_and_cookies_are_read_within_limits() {
        let fields = Fields::read(b"a=1&b=%3Cx%3E+y&a=2&c&=d&%ff=%ff").unwrap();
        assert_eq!((fields.text("a"), fields.text("b"), fields.text("z")), ("1", "<x> y", ""));
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert!(fields.has("c") && !fields.has("d"));
        assert!(Fields::read("a&".repeat(FIELDS_MAX).as_bytes()).is_some());
        assert!(Fields::read("a&".repeat(FIELDS_MAX + 1).as_bytes()).is_none());
        let sent = headers(&[("cookie", "x=1; name=a=b"), ("cookie", "name=c; names=d")]);
        assert_eq!(cookie(&sent, "name"), Some("a=b"));
        assert_eq!(cookie(&sent, "names"), Some("d"));
        assert_eq!(cookie(&sent, "nam"), None);
        let long = "y".repeat(COOKIE_BYTES_MAX);
        assert_eq!(cookie(&headers(&[("cookie", &format!("name={long}"))]), "name"), None);
    }
}
