//! The address of a receiver: a URL, or a reference to one.

use url::Url;

use super::receiver::receiver_url;
use crate::base::secret::Reference;
use crate::diag::{Problem, Scalar, SyntaxNode, code};

/// Address of a receiver, as it is written: a URL, `env:NAME` or `file:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverAddress {
    /// A URL.
    Url(Url),
    /// A reference to a URL, which appears in output in place of the URL.
    Reference(Reference),
}

/// Address of a receiver that is ready to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverUrl {
    /// The URL.
    pub url: Url,
    /// The reference that appears in its place.
    pub reference: Option<String>,
}

impl ReceiverAddress {
    /// Parses an address. The error is a message for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        match reference(text) {
            Some(reference) => Ok(Self::Reference(reference)),
            None => receiver_url(text).map(Self::Url),
        }
    }

    /// Returns the URL. A reference is read.
    ///
    /// # Errors
    /// The reference has no URL. The problem does not contain what it has.
    pub fn resolve(&self) -> Result<ReceiverUrl, Problem> {
        let reference = match self {
            Self::Url(url) => return Ok(ReceiverUrl { url: url.clone(), reference: None }),
            Self::Reference(reference) => reference,
        };
        let name = &reference.0;
        let text = reference.resolve().map_err(|error| {
            Problem::anywhere(code::SECRET_MISSING, error.to_string()).help(error.help())
        })?;
        // Without the reason, which would quote the text.
        let url = receiver_url(text.expose().trim()).map_err(|_| {
            let message = format!("`{name}` does not contain the URL of a receiver");
            let help = "it needs a scheme and a host: `http://localhost:3000/hooks`";
            Problem::anywhere(code::INVALID_URL, message).help(help)
        })?;
        Ok(ReceiverUrl { url, reference: Some(name.clone()) })
    }
}

/// Returns the reference that a text is. `file://` begins a URL, which is not that of a receiver.
fn reference(text: &str) -> Option<Reference> {
    let reference = Reference(text.to_owned());
    (reference.is_external() && !text.starts_with("file://")).then_some(reference)
}

impl From<Url> for ReceiverUrl {
    fn from(url: Url) -> Self {
        Self { url, reference: None }
    }
}

impl Scalar for ReceiverAddress {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        match node.as_text().and_then(reference) {
            Some(reference) => Ok(Self::Reference(reference)),
            None => Url::parse_node(node).map(Self::Url),
        }
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "examples": ["http://localhost:3000/hooks", "env:NAME"]})
    }
}
