//! Expectations: what a script requires of the receiver besides its responses, and what it found.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::method::Method;
use super::source_line::SourceLine;

/// A field whose value does not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// The field, such as ``body `/ok` ``.
    pub field: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, expected, found } = self;
        write!(formatter, "{field}: expected {expected}, found {found}")
    }
}

/// What an expectation waits for: the response to a request to the receiver's own API, or a call of
/// the receiver to the vendor's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationRequest {
    /// TOML key of the step: `eventually`, `request`, `expect` or `expect_none`.
    pub expectation: String,
    /// Repetition of the step, from 1.
    pub round: u32,
    /// HTTP method of the request.
    #[serde(default)]
    pub method: Option<Method>,
    /// URL of the request.
    #[serde(default)]
    pub url: Option<String>,
    /// Vendor-neutral name of the call.
    #[serde(default)]
    pub call: Option<String>,
}

impl ExpectationRequest {
    /// Returns what is expected in a few words, such as `GET http://localhost/orders/1` or
    /// `send_message`.
    pub fn subject(&self) -> String {
        let method = self.method.map(|method| method.to_string());
        [method, self.url.clone(), self.call.clone()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// What an expectation found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExpectationResult {
    /// Number of requests that were sent.
    pub requests: u32,
    /// Wall time until the result, in milliseconds.
    pub waited_ms: u64,
    /// Status of the last response.
    pub status: Option<u16>,
    /// Number of the call that met it, or of the one that should not have come.
    #[serde(default)]
    pub call: Option<u64>,
    /// Description of the most similar call that came, if none met the expectation.
    #[serde(default)]
    pub nearest: Option<String>,
    /// Fields of the last response, or of the most similar call, that do not match. Empty if the
    /// expectation was met.
    pub mismatches: Vec<Mismatch>,
    /// Values that the step captured, by name.
    pub captured: Map<String, Json>,
}

impl ExpectationResult {
    /// Creates the result of an expectation whose request could not be sent.
    pub fn unsent(reason: &str) -> Self {
        let (field, expected) = ("request".to_owned(), "a request that can be sent".to_owned());
        let mismatch = Mismatch { field, expected, found: reason.to_owned() };
        Self { mismatches: vec![mismatch], ..Self::default() }
    }

    /// Returns why the expectation was not met, or `None` if it was.
    pub fn why(&self) -> Option<String> {
        let mismatches: Vec<String> = self.mismatches.iter().map(ToString::to_string).collect();
        let nearest = self.nearest.as_ref();
        let nearest = nearest.map(|nearest| format!(" (nearest: {nearest})")).unwrap_or_default();
        (!mismatches.is_empty()).then(|| mismatches.join("; ") + &nearest)
    }
}

/// An expectation that was met or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettledExpectation {
    /// The request.
    pub request: ExpectationRequest,
    /// What it found.
    pub result: ExpectationResult,
    /// Whether it was met.
    pub passed: bool,
    /// Why it was not met.
    pub why: Option<String>,
    /// Source line of the step, if it comes from a file.
    pub source: Option<SourceLine>,
}

impl SettledExpectation {
    /// Returns the approximate size of the texts in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let ExpectationResult { mismatches, captured, nearest, .. } = &self.result;
        let mismatches = mismatches.iter();
        let mismatches =
            mismatches.map(|one| one.field.len() + one.expected.len() + one.found.len());
        let captured = captured.iter().map(|(name, value)| name.len() + value.to_string().len());
        mismatches.chain(captured).sum::<usize>() + nearest.as_ref().map_or(0, String::len)
    }
}
