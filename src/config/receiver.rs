//! Rules for the URLs of receivers and for additional request headers.

use reqwest::header::{HeaderName, HeaderValue};
use url::{ParseError, Url};

use crate::base::limits::MAX_HEADER;
use crate::base::secret::{InvalidSecret, Reference};
use crate::base::text::mask;
use crate::diag::{NodeContent, Problem, Scalar, SourceSpan, SyntaxNode, code};

/// Returns the problem of a secret that cannot be used. `span` is the location of its reference.
pub fn invalid_secret(error: &InvalidSecret, span: &SourceSpan) -> Problem {
    Problem::at(span, code::SECRET_MISSING, error.to_string()).help(error.help())
}

/// Headers that the HTTP client sets itself. A second value would make the request ambiguous.
const CONNECTION_HEADERS: &[&str] = &["content-length", "host", "transfer-encoding"];

/// Checks the name of an additional header. The error is a message for the user.
pub fn check_header_name(name: &str) -> Result<(), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("invalid header name `{name}`"))?;
    if CONNECTION_HEADERS.contains(&parsed.as_str()) {
        return Err(format!("`{name}` belongs to the connection and cannot be set"));
    }
    Ok(())
}

/// Describes valid header values, for help texts.
pub const HEADER_VALUE_RULE: &str = "a header value is one line of at most 8 KiB, without control characters and without spaces at \
     its ends";

/// Returns true for a valid header value; see [`HEADER_VALUE_RULE`].
pub fn is_header_value(value: &str) -> bool {
    // Receivers remove spaces at the ends (RFC 9110, section 5.5), so that a secret would differ.
    let is_trimmed = value.trim_matches([' ', '\t']) == value;
    value.len() <= MAX_HEADER && is_trimmed && HeaderValue::from_str(value).is_ok()
}

/// Checks the value of a header. `span` is the location of the value or of the reference to it.
pub fn check_header_value(value: &str, span: &SourceSpan) -> Result<(), Problem> {
    if is_header_value(value) {
        return Ok(());
    }
    // Without the value itself, which may be a secret.
    let message = "invalid header value";
    Err(Problem::at(span, code::INVALID_HEADER, message).help(HEADER_VALUE_RULE))
}

impl Scalar for Reference {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let reference = String::parse_node(node).map(Self)?;
        match reference.mistaken() {
            Some(help) => {
                let message = "the value looks like a reference, but would be sent as it is";
                Err(Problem::at(&node.span, code::SECRET_MISSING, message).help(help))
            }
            None => Ok(reference),
        }
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "examples": ["env:NAME", "file:PATH"]})
    }
}

impl Scalar for Url {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = match node.content {
            // `url = 7401`: a port, whose message helps more than one about quotes.
            NodeContent::Int(port) => port.to_string(),
            _ => String::parse_node(node)?,
        };
        receiver_url(&text).map_err(|message| Problem::at(&node.span, code::INVALID_URL, message))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "format": "uri"})
    }
}

/// Parses the URL of a receiver: `http` or `https`, without user name and password. The error is a
/// message for the user, with passwords masked.
pub fn receiver_url(text: &str) -> Result<Url, String> {
    // The parser removes some of these characters, and the rest of the URL changes its meaning.
    if text.trim().is_empty() {
        return Err("the URL is empty, expected one such as `http://localhost:3000/`".into());
    }
    let is_unsafe = |c: char| c.is_control() || c.is_whitespace();
    if text.starts_with(is_unsafe) || text.ends_with(is_unsafe) || text.contains(char::is_control) {
        return Err("the URL contains a control character, or a space at its start or end".into());
    }
    let shown = mask(text);
    if let Some(address) = bare_ipv6(text) {
        return Err(no_scheme(&address));
    }
    if let Some(port) = bare_port(text.trim_start_matches(':')) {
        return Err(port.map_or_else(invalid_port, only_port));
    }
    if let Some(help) = unusual_notation(text) {
        return Err(format!("invalid URL `{shown}`: {help}"));
    }
    let url = match Url::parse(text) {
        Ok(url) if is_host_and_port(&url) => return Err(no_scheme(&shown)),
        Ok(url) => url,
        Err(ParseError::RelativeUrlWithoutBase)
            if text.starts_with(|c: char| c.is_alphanumeric() || c == '[')
                || text.starts_with("//") =>
        {
            return Err(no_scheme(&shown));
        }
        Err(ParseError::RelativeUrlWithoutBase) if text.starts_with('/') => {
            return Err(format!(
                "the URL `{shown}` has no host: write `http://localhost:3000{shown}`"
            ));
        }
        Err(ParseError::InvalidPort) if text.contains(',') || text.contains(' ') => {
            return Err(format!("`{shown}` is more than one URL: name each receiver separately"));
        }
        Err(ParseError::InvalidPort) => {
            return Err(format!("invalid URL `{shown}`: the port must be between 1 and 65535"));
        }
        Err(error) => return Err(format!("invalid URL `{shown}`: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the URL scheme must be `http` or `https`, found `{}`", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not contain a user name or a password".into());
    }
    if let Some(placeholder) = url.host_str().and_then(placeholder_in) {
        return Err(format!("the URL contains the placeholder `{placeholder}`: write its value"));
    }
    // The URL parser accepts port 0, but no server can listen on it.
    if url.port() == Some(0) {
        return Err("the port must be between 1 and 65535, found 0".into());
    }
    // The URL parser takes a number for an address: 7401 for 0.0.28.233, which nothing can have.
    if let Some(Ok(host)) = authority(text).and_then(bare_port) {
        return Err(only_port(host));
    }
    Ok(url)
}

/// Returns the part of a host name that documentation has in place of a name, such as `{host}`.
fn placeholder_in(host: &str) -> Option<&str> {
    let start = host.find('{')?;
    let end = start + host[start..].find('}')?;
    Some(&host[start..=end])
}

/// Returns host and port as they are written in a URL with a scheme.
fn authority(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(':')?;
    rest.trim_start_matches('/').split(['/', '?', '#']).next()
}

/// Returns the port if a text consists of nothing else, apart from a slash at its end. The error is a
/// number that no port has.
fn bare_port(text: &str) -> Option<Result<u16, &str>> {
    let digits = text.trim().trim_end_matches('/');
    let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| digits.parse().ok().filter(|port| *port > 0).ok_or(digits))
}

fn invalid_port(number: &str) -> String {
    format!("the port must be between 1 and 65535, found {number}")
}

/// Returns an IPv6 address without brackets as URLs have it.
fn bare_ipv6(text: &str) -> Option<String> {
    text.parse::<std::net::Ipv6Addr>().ok().map(|address| format!("[{address}]"))
}

/// Returns the help for a text that is a URL in the notation of another program.
fn unusual_notation(text: &str) -> Option<&'static str> {
    const QUOTES: &[char] = &['"', '\'', '“', '”', '„', '‘', '’', '«', '»', '<', '>', '`'];
    let lower = text.to_ascii_lowercase();
    let is_variable = text.starts_with('$') || (text.starts_with('%') && text.ends_with('%'));
    if text.starts_with(QUOTES) {
        return Some("remove the quotes around it");
    }
    if is_variable || text.contains("{{") {
        return Some("standin expands no shell variables: write `env:NAME` in its place");
    }
    (lower.starts_with("env:") || lower.starts_with("file:") && !lower.starts_with("file://"))
        .then_some("write `env:` and `file:` in lowercase: `env:NAME`, `file:PATH`")
}

fn only_port(port: u16) -> String {
    format!("`{port}` is a port, not a URL: write `http://localhost:{port}/`")
}

/// Returns true for a host with a port but no scheme. The parser takes `localhost:3000` for a URL
/// with the scheme `localhost`.
fn is_host_and_port(url: &Url) -> bool {
    url.cannot_be_a_base() && url.path().starts_with(|c: char| c.is_ascii_digit())
}

/// Describes a URL without a scheme. A URL is suggested only if it is valid.
fn no_scheme(shown: &str) -> String {
    let rest = ["https", "http"].iter().find_map(|scheme| shown.strip_prefix(scheme));
    let rest = rest.filter(|rest| rest.starts_with('/')).unwrap_or(shown).trim_start_matches('/');
    let scheme = if rest != shown && shown.starts_with("https") { "https" } else { "http" };
    let url = match rest.split_once('/').map(|(port, path)| (port.parse::<u16>(), path)) {
        Some((Ok(port), path)) if port > 0 => format!("http://localhost:{port}/{path}"),
        _ => format!("{scheme}://{rest}"),
    };
    let is_valid = Url::parse(&url).is_ok_and(|url| url.port() != Some(0));
    let example = if is_valid { url } else { "http://localhost:3000/".to_owned() };
    format!("the URL `{shown}` has no scheme: write `{example}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_urls_are_rejected() {
        for invalid in [
            "",
            "//x",
            "http://",
            "http://a b/",
            "http://x:99999/",
            "ftp://x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://u:p@x/",
            "http://u:p@x:99999/",
            "u:p@x",
            "http://[::1%25eth0]/",
            "http://x:0/",
        ] {
            let error = receiver_url(invalid).unwrap_err();
            assert!(!error.contains("u:p"), "{error}");
        }
        for hidden in [
            "http://x/\n",
            "http://x\t.test/",
            "http://127.0.0.1\r\n.x.test/",
            " http://x/",
            "http://x/ ",
            "http://x/\0",
            "\u{a0}http://x/",
        ] {
            assert!(receiver_url(hidden).unwrap_err().contains("control character"), "{hidden:?}");
        }
        assert!(receiver_url("https//x:1/").unwrap_err().ends_with("write `https://x:1/`"));
        assert!(receiver_url("http://{host}:1/").unwrap_err().contains("placeholder `{host}`"));
        for bare in ["localhost", "localhost:3000", "u:3@localhost"] {
            assert!(receiver_url(bare).unwrap_err().contains("has no scheme"), "{bare}");
        }
        for bare in ["7401", ":7401", "7401/", "http://7401", "http://7401/hooks", "https:7401"] {
            let error = receiver_url(bare).unwrap_err();
            assert!(error.ends_with("write `http://localhost:7401/`"), "{bare}: {error}");
        }
        for (text, reason) in [
            ("", "the URL is empty, expected one such as `http://localhost:3000/`"),
            ("99999", "the port must be between 1 and 65535, found 99999"),
            (":0", "the port must be between 1 and 65535, found 0"),
            (
                "http://x:70000/",
                "invalid URL `http://x:70000/`: the port must be between 1 and 65535",
            ),
            ("/hooks", "the URL `/hooks` has no host: write `http://localhost:3000/hooks`"),
            ("“http://x/”", "invalid URL `“http://x/”`: remove the quotes around it"),
            (
                "http://x:1,http://y:2",
                "`http://x:1,http://y:2` is more than one URL: name each receiver separately",
            ),
            (
                "${HOOK}",
                "invalid URL `${HOOK}`: standin expands no shell variables: write `env:NAME` in its place",
            ),
            (
                "ENV:HOOK",
                "invalid URL `ENV:HOOK`: write `env:` and `file:` in lowercase: `env:NAME`, `file:PATH`",
            ),
        ] {
            assert_eq!(receiver_url(text).unwrap_err(), reason);
        }
        for (text, suggestion) in [
            ("//localhost:3000/x", "http://localhost:3000/x"),
            ("::1", "http://[::1]"),
            ("[::1]:3000/hooks", "http://[::1]:3000/hooks"),
            ("http//localhost:3000", "http://localhost:3000"),
            ("localhost:0", "http://localhost:3000/"),
        ] {
            let error = receiver_url(text).unwrap_err();
            assert!(error.ends_with(&format!("write `{suggestion}`")), "{error}");
        }
        assert_eq!(receiver_url("http://2130706433/").unwrap().as_str(), "http://127.0.0.1/");
    }

    #[test]
    fn header_names_are_checked() {
        assert_eq!(check_header_name("X-Env"), Ok(()));
        for invalid in ["", "X Env", "X:Env", "Content-Length", "host", "Xå"] {
            assert!(check_header_name(invalid).is_err(), "{invalid}");
        }
    }
}
