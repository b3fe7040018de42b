//! `eventually` and `request`: what a script requires of the receiver's own API.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json};
use url::Url;

use super::capture::Capture;
use super::matcher_texts::MatcherTexts;
use super::text::TextContext;
use crate::matcher::ResponseMatcher;
use crate::policy::StatusSet;
use crate::record::{AttemptResult, ExpectationResult, Method, Mismatch};
use crate::template::{JsonTemplate, TextTemplate, TooLarge};

/// All characters but the unreserved ones of RFC 3986.
const PATH_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A step that requires something of the receiver's own API.
#[derive(Clone, Debug)]
pub(super) struct RequestPlan {
    /// TOML key: `eventually` or `request`.
    pub(super) key: &'static str,
    pub(super) method: Method,
    pub(super) target: TargetPlan,
    pub(super) headers: Vec<(String, TextTemplate)>,
    pub(super) json: Option<JsonTemplate>,
    /// Time during which the request is repeated; `None` sends it once.
    pub(super) within: Option<SignedDuration>,
    pub(super) check: Arc<ResponseCheck>,
    /// The step as it is written.
    pub(super) declared: Json,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub(super) struct TargetPlan {
    /// The origin that the operator granted; `None` for that of the receiver.
    pub(super) origin: Option<Url>,
    /// Path and query. It starts with a slash.
    pub(super) path: TextTemplate,
}

/// What a response has to meet, and what is kept of it.
#[derive(Clone, Debug, Default)]
pub(super) struct ResponseCheck {
    pub(super) status: StatusSet,
    pub(super) response: ResponseMatcher,
    /// The texts of its matchers that have placeholders.
    pub(super) texts: MatcherTexts,
    pub(super) captures: Vec<Capture>,
}

/// A request of a conversation to the receiver's own API.
#[derive(Clone, Debug)]
pub struct RequestExpectation {
    /// TOML key of the step: `eventually` or `request`.
    pub key: &'static str,
    /// Number of the step in the file, from 1.
    pub step: usize,
    /// Repetition of the step, from 1.
    pub round: u32,
    /// Run time.
    pub at: Timestamp,
    /// HTTP method.
    pub method: Method,
    /// Path and query. It starts with a slash.
    pub path: String,
    /// Headers of the request.
    pub headers: Vec<(String, String)>,
    /// JSON body of the request.
    pub json: Option<String>,
    /// Wall time during which the request is repeated; `None` sends it once.
    pub within: Option<SignedDuration>,
    origin: Option<Url>,
    check: Arc<ResponseCheck>,
}

impl RequestPlan {
    /// Renders the request of a step at a run time.
    ///
    /// # Errors
    ///
    /// Fails if the body is too large.
    pub(super) fn render(
        &self,
        step: usize,
        round: u32,
        context: &TextContext<'_>,
        at: Timestamp,
    ) -> Result<RequestExpectation, TooLarge> {
        let headers = self.headers.iter();
        let check = match self.check.texts.render(context)? {
            Some(texts) => Arc::new(ResponseCheck {
                response: self.check.response.with_texts(&|text| texts.get(text)),
                ..(*self.check).clone()
            }),
            None => Arc::clone(&self.check),
        };
        Ok(RequestExpectation {
            key: self.key,
            step,
            round,
            at,
            method: self.method,
            path: self.target.path.render_encoded(context, percent_encoded),
            headers: headers.map(|(name, value)| (name.clone(), value.render(context))).collect(),
            json: self.json.as_ref().map(|json| json.render(context)).transpose()?,
            within: self.within,
            origin: self.target.origin.clone(),
            check,
        })
    }

    /// Returns the values that the step captures.
    pub(super) fn captures(&self) -> &[Capture] {
        &self.check.captures
    }
}

impl RequestExpectation {
    /// Returns the URL of the request. `receiver` is an address of the receiver.
    ///
    /// # Errors
    ///
    /// Returns the reason if the path would lead to another origin than the granted one.
    pub fn url(&self, receiver: &Url) -> Result<Url, String> {
        let origin = self.origin.as_ref().unwrap_or(receiver).origin();
        // The path follows the origin in one text, so that it cannot name a host.
        let text = format!("{}{}", origin.ascii_serialization(), self.path);
        let url = Url::parse(&text).map_err(|error| format!("`{text}`: {error}"))?;
        let is_granted = self.path.starts_with('/')
            && url.origin() == origin
            && url.username().is_empty()
            && url.password().is_none();
        if is_granted {
            Ok(url)
        } else {
            Err(format!("`{text}` has an origin that is not allowed"))
        }
    }

    /// Compares a response with the expectation, and takes the captured values from it.
    pub fn judge(&self, result: &AttemptResult) -> ExpectationResult {
        let ResponseCheck { status, response, captures, .. } = &*self.check;
        let mut mismatches = Vec::new();
        let found = result.final_status().filter(|found| !status.contains(*found));
        mismatches.extend(found.map(|found| Mismatch {
            field: "status".to_owned(),
            expected: status.to_string(),
            found: described(found, result.location.as_deref()),
        }));
        if result.final_status().is_none() {
            let reason = result.reason.as_deref().unwrap_or_default();
            mismatches.push(Mismatch {
                field: "response".to_owned(),
                expected: "a response".to_owned(),
                found: format!("{}: {reason}", result.outcome),
            });
            return ExpectationResult { mismatches, ..ExpectationResult::default() };
        }
        mismatches.extend(response.mismatches(result, 1));
        let document: Option<Json> = serde_json::from_slice(result.body.as_bytes()).ok();
        let mut captured = Map::new();
        for capture in captures {
            match capture.value(document.as_ref()) {
                Ok(value) => drop(captured.insert(capture.name.clone(), value)),
                Err(mismatch) => mismatches.push(mismatch),
            }
        }
        ExpectationResult {
            status: result.final_status(),
            mismatches,
            captured,
            ..ExpectationResult::default()
        }
    }
}

/// Encodes a value for a path or query: it cannot add a segment or a parameter.
fn percent_encoded(value: &str) -> String {
    utf8_percent_encode(value, PATH_VALUE).to_string()
}

fn described(status: u16, location: Option<&str>) -> String {
    match location {
        Some(location) => {
            format!("{status} with a redirect to `{location}`, which is not followed")
        }
        None => status.to_string(),
    }
}
