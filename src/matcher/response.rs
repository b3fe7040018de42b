//! Requirements for a response: time, attempts, body and headers.

use jiff::SignedDuration;
use serde_json::Value as Json;

use super::fields::{HeaderMatchers, PointerMatchers};
use super::mismatch::shown;
use crate::record::{AttemptResult, Mismatch};

/// Requirements for the final response to a delivery, except its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseMatcher {
    /// Maximum time from the start of the attempt to the end of the response.
    pub within: Option<SignedDuration>,
    /// Number of attempts.
    pub attempts: Option<u32>,
    /// Matchers of the body, by JSON pointer.
    pub body: PointerMatchers,
    /// Matchers of the headers.
    pub headers: HeaderMatchers,
}

impl ResponseMatcher {
    /// Returns the requirements with other values in place of the texts for which `replace` has one.
    #[must_use]
    pub fn with_texts(&self, replace: &dyn Fn(&str) -> Option<Json>) -> Self {
        Self {
            body: self.body.with_texts(replace),
            headers: self.headers.with_texts(replace),
            ..self.clone()
        }
    }

    /// Returns the requirements that a response does not meet. `attempts` counts the attempts of the
    /// delivery, including this one.
    pub fn mismatches(&self, result: &AttemptResult, attempts: u32) -> Vec<Mismatch> {
        if *self == Self::default() {
            return Vec::new();
        }
        if result.final_status().is_none() {
            let field = "response".to_owned();
            let (expected, found) = ("a response".to_owned(), result.outcome.to_string());
            return vec![Mismatch { field, expected, found }];
        }
        let mut mismatches = self.mismatched_numbers(result, attempts);
        mismatches.extend(self.headers.mismatches(&result.headers));
        if !self.body.is_empty() {
            match document(result) {
                Ok(document) => mismatches.extend(self.body.mismatches(document.as_ref())),
                Err(mismatch) => mismatches.push(mismatch),
            }
        }
        mismatches
    }

    fn mismatched_numbers(&self, result: &AttemptResult, attempts: u32) -> Vec<Mismatch> {
        let micros = result.timings.total_us;
        let time = SignedDuration::from_micros(i64::try_from(micros).unwrap_or(i64::MAX));
        let late = self.within.filter(|within| time > *within).map(|within| Mismatch {
            field: "response time".to_owned(),
            expected: format!("at most {within:#}"),
            found: format!("{} ms", micros / 1_000),
        });
        let expected = self.attempts.filter(|expected| *expected != attempts);
        let attempts = expected.map(|expected| Mismatch {
            field: "attempts".to_owned(),
            expected: expected.to_string(),
            found: attempts.to_string(),
        });
        late.into_iter().chain(attempts).collect()
    }
}

/// Parses the body of a response as JSON. An empty body is `None`.
fn document(result: &AttemptResult) -> Result<Option<Json>, Mismatch> {
    if result.body.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(result.body.as_bytes()).map(Some).map_err(|_| {
        let found = match result.compression() {
            Some(method) => format!("a compressed body ({method})"),
            None if result.truncated => {
                format!("more than {} bytes, which were not read", result.body.len())
            }
            None => shown(&Json::from(result.body.text())),
        };
        Mismatch { field: "body".to_owned(), expected: "JSON".to_owned(), found }
    })
}
