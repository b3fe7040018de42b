//! Receivers: their addresses, and the headers that they want beside the vendor's.

use reqwest::header::{HeaderName, HeaderValue};
use url::{ParseError, Url};

use crate::base::limits::MAX_HEADER;
use crate::base::secret::{Reference, Secret};
use crate::base::text::mask;
use crate::diag::{
    NonEmpty, Problem, Problems, Scalar, SourceSpan, Spanned, SyntaxNode, TableOf, code,
};
use crate::form;

form! {
    /// A receiver.
    pub struct EndpointForm {
        /// The vendor that sends to it.
        vendor: Spanned<String>,
        /// Its address.
        url: Spanned<Url>,
        /// What it is sent; the vendor's default without it.
        events: Option<NonEmpty<Spanned<String>>>,
        /// Headers beside the vendor's: `env:NAME`, `file:PATH`, or the value.
        headers: TableOf<Spanned<Reference>>,
    }
}

impl EndpointForm {
    /// Checks the names of the headers, and the values that stand in the file.
    pub(super) fn check_headers(&self, problems: &mut Problems) {
        for (key, value) in self.headers.iter() {
            if let Err(message) = check_header_name(&key.name) {
                problems.push(Problem::at(&key.span, code::WRONG_HEADER, message));
            }
            if let Err(problem) = check_header_value(&value.0, &value.span) {
                problems.push(problem);
            }
        }
    }

    /// The headers with their values. What a reference stands for is a secret; a value that the
    /// file itself holds is none.
    pub fn headers(&self, problems: &mut Problems) -> Vec<(String, Secret)> {
        let mut headers = Vec::new();
        for (key, value) in self.headers.iter() {
            if !value.is_elsewhere() {
                headers.push((key.name.clone(), Secret::public(value.0.clone())));
                continue;
            }
            let resolved = value.resolve();
            let resolved = resolved
                .map_err(|message| Problem::at(&value.span, code::SECRET_MISSING, message))
                .and_then(|secret| {
                    check_header_value(secret.expose(), &value.span).map(|()| secret)
                });
            match resolved {
                Ok(secret) => headers.push((key.name.clone(), secret)),
                Err(problem) => problems.push(problem),
            }
        }
        headers
    }
}

/// Headers that belong to the connection: it sets them itself.
const OF_THE_CONNECTION: &[&str] = &["content-length", "host", "transfer-encoding"];

/// Whether a header of ours may have this name.
pub fn check_header_name(name: &str) -> Result<(), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is not the name of a header"))?;
    if OF_THE_CONNECTION.contains(&parsed.as_str()) {
        return Err(format!("`{name}` belongs to the connection, which sets it itself"));
    }
    Ok(())
}

/// What the value of a header may be.
pub const HEADER_VALUE: &str =
    "a value stands on one line of at most 8 KiB, without control characters";

/// Whether a header of ours may have this value.
pub fn is_header_value(value: &str) -> bool {
    value.len() <= MAX_HEADER && HeaderValue::from_str(value).is_ok()
}

/// Checks the value of a header as a file has it, or as it is elsewhere.
pub fn check_header_value(value: &str, span: &SourceSpan) -> Result<(), Problem> {
    if is_header_value(value) {
        return Ok(());
    }
    let message = "the value is none that a header can hold";
    Err(Problem::at(span, code::WRONG_HEADER, message).help(HEADER_VALUE))
}

impl Scalar for Reference {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        String::parse_node(node).map(Self)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "examples": ["env:NAME", "file:PATH"]})
    }
}

impl Scalar for Url {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = String::parse_node(node)?;
        receiver_url(&text).map_err(|message| Problem::at(&node.span, code::WRONG_URL, message))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "format": "uri"})
    }
}

/// Reads a receiver's address: http or https, without user name and password.
pub fn receiver_url(text: &str) -> Result<Url, String> {
    let shown = mask(text);
    let url = match Url::parse(text) {
        Ok(url) if is_host_and_port(&url) => return Err(no_scheme(&shown)),
        Ok(url) => url,
        Err(ParseError::RelativeUrlWithoutBase) if text.starts_with(char::is_alphanumeric) => {
            return Err(no_scheme(&shown));
        }
        Err(error) => return Err(format!("`{shown}` is not an address: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}` addresses are not sent to, only http and https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address must not hold a user name or a password".into());
    }
    if url.port() == Some(0) {
        return Err("port 0 is no receiver's port".into());
    }
    Ok(url)
}

/// Whether what reads as a scheme is a host, since a port follows.
fn is_host_and_port(url: &Url) -> bool {
    url.cannot_be_a_base() && url.path().starts_with(|c: char| c.is_ascii_digit())
}

fn no_scheme(shown: &str) -> String {
    format!("`{shown}` lacks its scheme: write `http://{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_not_sent_to_are_refused() {
        for wrong in [
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
            let told = receiver_url(wrong).unwrap_err();
            assert!(!told.contains("u:p"), "{told}");
        }
        for bare in ["localhost", "localhost:3000", "u:3@localhost"] {
            assert!(receiver_url(bare).unwrap_err().contains("lacks its scheme"), "{bare}");
        }
        assert_eq!(receiver_url("http://2130706433/").unwrap().as_str(), "http://127.0.0.1/");
    }

    #[test]
    fn names_of_headers_are_checked() {
        assert_eq!(check_header_name("X-Env"), Ok(()));
        for wrong in ["", "X Env", "X:Env", "Content-Length", "host", "Xå"] {
            assert!(check_header_name(wrong).is_err(), "{wrong}");
        }
    }
}
