//! `expect`: a call of the receiver to the vendor's API that a script waits for.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use super::capture::Capture;
use super::text::TextContext;
use crate::matcher::{ValueMatchers, value_at};
use crate::platform::Platform;
use crate::policy::StatusSet;
use crate::record::{CallRecord, ExpectationResult, Mismatch};
use crate::template::{JsonTemplate, TooLarge};

/// A step that waits for a call.
#[derive(Clone, Debug)]
pub(super) struct CallPlan {
    /// TOML key of the step.
    pub(super) key: &'static str,
    pub(super) pattern: CallPattern,
    /// Statuses of the vendor's response.
    pub(super) status: StatusSet,
    /// Maximum wall time until the call comes.
    pub(super) within: SignedDuration,
    pub(super) captures: Vec<Capture>,
    /// The step as it is written.
    pub(super) declared: Json,
}

/// Which calls are meant.
#[derive(Clone, Debug)]
pub(super) struct CallPattern {
    /// Neutral name of the call.
    pub(super) call: String,
    /// Conditions on its values.
    pub(super) matchers: ValueMatchers,
    /// The texts of the matchers that have placeholders.
    pub(super) texts: MatcherTexts,
}

/// The texts of matchers that have placeholders.
#[derive(Clone, Debug, Default)]
pub(super) struct MatcherTexts {
    /// The texts as they are written, by the key of the template.
    pub(super) written: BTreeMap<String, String>,
    /// A table of the texts; `None` if there are none.
    pub(super) template: Option<JsonTemplate>,
}

/// A call that a conversation waits for.
#[derive(Clone, Debug)]
pub struct CallExpectation {
    /// TOML key of the step.
    pub key: &'static str,
    /// Number of the step in the file, from 1.
    pub step: usize,
    /// Repetition of the step, from 1.
    pub round: u32,
    /// Run time.
    pub at: Timestamp,
    /// Neutral name of the call.
    pub call: String,
    /// Maximum wall time until the call comes.
    pub within: SignedDuration,
    status: StatusSet,
    matchers: ValueMatchers,
    captures: Vec<Capture>,
}

impl CallPattern {
    /// Returns the matchers with the values of this moment.
    fn render(&self, context: &TextContext<'_>) -> Result<ValueMatchers, TooLarge> {
        let Some(template) = &self.texts.template else { return Ok(self.matchers.clone()) };
        let values: Map<String, Json> =
            serde_json::from_str(&template.render(context)?).unwrap_or_default();
        let replace = |text: &str| {
            let mut written = self.texts.written.iter();
            let (key, _) = written.find(|(_, written)| *written == text)?;
            values.get(key).cloned()
        };
        Ok(self.matchers.with_texts(&replace))
    }
}

impl CallPlan {
    /// Returns why a vendor cannot receive the call; `None` if it can.
    pub(super) fn unsupported(&self, vendor: &Platform) -> Option<String> {
        let call = &self.pattern.call;
        if vendor.api.is_empty() {
            return Some("it has no API".to_owned());
        }
        let Some(fields) = vendor.api.fields_of_call(call) else {
            return Some(format!("its API has no call `{call}`"));
        };
        let captured = self.captures.iter().map(|capture| capture.pointer.as_str());
        let matched = self.pattern.matchers.keys().map(|key| key.name.as_str());
        let mut names = matched.chain(captured).filter(|name| !crate::matcher::is_pointer(name));
        let missing = names.find(|name| !fields.contains(name))?;
        Some(format!("its call `{call}` has no value `{missing}`"))
    }

    /// Renders the expectation of a step at a run time.
    ///
    /// # Errors
    ///
    /// Fails if the texts of the matchers are too large.
    pub(super) fn render(
        &self,
        step: usize,
        round: u32,
        context: &TextContext<'_>,
        at: Timestamp,
    ) -> Result<CallExpectation, TooLarge> {
        Ok(CallExpectation {
            key: self.key,
            step,
            round,
            at,
            call: self.pattern.call.clone(),
            within: self.within,
            status: self.status.clone(),
            matchers: self.pattern.render(context)?,
            captures: self.captures.clone(),
        })
    }
}

impl CallExpectation {
    /// Returns what of a call does not meet the expectation. `names` are the names that the call can
    /// have: several, if it failed before its operation was known.
    pub fn mismatches(&self, call: &CallRecord, names: &[String]) -> Vec<Mismatch> {
        let mut mismatches = Vec::new();
        if !names.contains(&self.call) {
            let found = match names {
                [] => "a call without a route".to_owned(),
                names => names.join(" or "),
            };
            mismatches.push(Mismatch {
                field: "call".to_owned(),
                expected: self.call.clone(),
                found,
            });
        }
        if !self.status.contains(call.status) {
            let why = call.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            mismatches.push(Mismatch {
                field: "status".to_owned(),
                expected: self.status.to_string(),
                found: format!("{}{why}", call.status),
            });
        }
        mismatches.extend(self.matchers.mismatches(&call.fields, &call.body));
        mismatches.extend(self.captures.iter().filter_map(|capture| {
            capture.checked(value_at(&capture.pointer, &call.fields, &call.body)).err()
        }));
        mismatches
    }

    /// Returns the result if a call meets the expectation.
    pub fn met_by(&self, call: &CallRecord) -> ExpectationResult {
        let value = |capture: &Capture| {
            let value = value_at(&capture.pointer, &call.fields, &call.body)?;
            Some((capture.name.clone(), value.clone()))
        };
        ExpectationResult {
            call: Some(call.number),
            status: Some(call.status),
            captured: self.captures.iter().filter_map(value).collect(),
            ..ExpectationResult::default()
        }
    }

    /// Returns the result if no call came.
    pub fn met_by_none(&self) -> ExpectationResult {
        let mismatch = Mismatch {
            field: "call".to_owned(),
            expected: self.call.clone(),
            found: "no call".to_owned(),
        };
        ExpectationResult { mismatches: vec![mismatch], ..ExpectationResult::default() }
    }
}
