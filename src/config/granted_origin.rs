//! Origins to which scenarios may send requests.

use std::fmt;

use serde_json::{Value as Json, json};
use url::Url;

use crate::diag::{Problem, Scalar, SyntaxNode, code};

/// Scheme, host and port to which scenarios may send requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedOrigin(pub Url);

impl GrantedOrigin {
    /// Parses an origin. The error is a message for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected an origin such as `http://localhost:8080`, found `{text}`");
        let url = Url::parse(text).map_err(|_| expected())?;
        let is_origin = matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if is_origin { Ok(Self(url)) } else { Err(expected()) }
    }
}

impl fmt::Display for GrantedOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.origin().ascii_serialization())
    }
}

impl Scalar for GrantedOrigin {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = String::parse_node(node)?;
        Self::parse(&text).map_err(|message| {
            let problem = Problem::at(&node.span, code::INVALID_URL, message);
            problem.help("write the scheme, the host and the port, without a path")
        })
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": "^https?://[^/?#@]+/?$"})
    }
}
