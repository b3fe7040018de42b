//! Expectations: what a script requires of the receiver's own API, and what it found.

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

/// A request to the receiver's own API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationRequest {
    /// TOML key of the step: `eventually` or `request`.
    pub expectation: String,
    /// Repetition of the step, from 1.
    pub round: u32,
    /// HTTP method.
    pub method: Method,
    /// Request URL.
    pub url: String,
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
    /// Fields of the last response that do not match. Empty if the expectation was met.
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
        (!mismatches.is_empty()).then(|| mismatches.join("; "))
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
