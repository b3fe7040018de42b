//! `expect` and `expect_none`: calls of the receiver to the vendor's API that a script waits for, or that
//! must not come.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::capture::Capture;
use super::matcher_texts::MatcherTexts;
use super::text::TextContext;
use crate::matcher::{ValueMatchers, is_pointer, value_at};
use crate::platform::Platform;
use crate::policy::StatusSet;
use crate::record::{CallRecord, ExpectationResult, Mismatch};
use crate::template::TooLarge;

/// Name for every call that changes something or fails.
pub(super) const ANY_CALL: &str = "*";

/// A step that waits for a call.
#[derive(Clone, Debug)]
pub(super) struct CallPlan {
    /// TOML key of the step.
    pub(super) key: &'static str,
    /// Whether the call must not come.
    pub(super) is_absence: bool,
    pub(super) pattern: CallPattern,
    /// Statuses of the vendor's response.
    pub(super) status: StatusSet,
    /// What the call gets in place of the vendor's response.
    pub(super) respond: Option<Arc<ScriptedResponse>>,
    /// Maximum wall time until the call comes.
    pub(super) within: SignedDuration,
    pub(super) captures: Vec<Capture>,
    /// The step as it is written.
    pub(super) declared: Json,
}

/// What a call gets in place of the vendor's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedResponse {
    /// Status; `None` for that of the vendor. With another one than 2xx, the call changes nothing.
    pub status: Option<u16>,
    /// Body; `None` for that of the vendor.
    pub body: Option<String>,
    /// Whether the body is JSON.
    pub is_json: bool,
    /// Wall time before the response.
    pub delay: Option<Duration>,
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
    /// Maximum wall time until the call comes, or the time during which it must not come.
    pub within: SignedDuration,
    /// What the call gets in place of the vendor's response.
    pub respond: Option<Arc<ScriptedResponse>>,
    is_absence: bool,
    status: StatusSet,
    matchers: ValueMatchers,
    captures: Vec<Capture>,
}

impl CallPattern {
    /// Returns the matchers with the values of this moment.
    fn render(&self, context: &TextContext<'_>) -> Result<ValueMatchers, TooLarge> {
        let rendered = self.texts.render(context)?;
        let filled = rendered.map(|texts| self.matchers.with_texts(&|text| texts.get(text)));
        Ok(filled.unwrap_or_else(|| self.matchers.clone()))
    }

    /// Returns whether a call has succeeded and is meant.
    pub(super) fn matches(
        &self,
        call: &CallRecord,
        names: &[String],
        context: &TextContext<'_>,
    ) -> bool {
        let matchers = self.render(context);
        (200..300).contains(&call.status)
            && names.contains(&self.call)
            && matchers.is_ok_and(|all| all.mismatches(&call.fields, &call.body).is_empty())
    }

    /// Returns why a vendor cannot receive such a call; `None` if it can.
    pub(super) fn unsupported(&self, vendor: &Platform) -> Option<String> {
        self.lacking(vendor, std::iter::empty())
    }

    /// Returns what of the call and its values a vendor lacks. `others` are further values.
    fn lacking<'a>(
        &'a self,
        vendor: &Platform,
        others: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let call = &self.call;
        if vendor.api.is_empty() {
            return Some("it has no API".to_owned());
        }
        if call == ANY_CALL {
            return None;
        }
        let Some(fields) = vendor.api.fields_of_call(call) else {
            return Some(format!("its API has no call `{call}`"));
        };
        let matched = self.matchers.keys().map(|key| key.name.as_str());
        let mut names = matched.chain(others).filter(|name| !is_pointer(name));
        let missing = names.find(|name| !fields.contains(name))?;
        Some(format!("its call `{call}` has no value `{missing}`"))
    }
}

impl CallPlan {
    /// Returns why a vendor cannot receive the call; `None` if it can.
    pub(super) fn unsupported(&self, vendor: &Platform) -> Option<String> {
        let captured = self.captures.iter().map(|capture| capture.pointer.as_str());
        self.pattern.lacking(vendor, captured)
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
            is_absence: self.is_absence,
            respond: self.respond.clone(),
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
        let is_meant = match self.call.as_str() {
            ANY_CALL => call.is_noteworthy(),
            name => names.iter().any(|known| known == name),
        };
        if !is_meant {
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
        if !self.is_absence && !self.status.contains(call.status) {
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

    /// Returns whether a call is meant, whatever its response.
    pub fn is_about(&self, call: &CallRecord, names: &[String]) -> bool {
        names.contains(&self.call) && self.matchers.mismatches(&call.fields, &call.body).is_empty()
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

    /// Returns whether the call must not come.
    pub fn is_absence(&self) -> bool {
        self.is_absence
    }

    /// Returns the result if a call has come that must not come.
    pub fn violated_by(&self, call: &CallRecord, description: String) -> ExpectationResult {
        let mismatch = Mismatch {
            field: "call".to_owned(),
            expected: "no call".to_owned(),
            found: description,
        };
        ExpectationResult {
            call: Some(call.number),
            status: Some(call.status),
            mismatches: vec![mismatch],
            ..ExpectationResult::default()
        }
    }

    /// Returns the result if no call came.
    pub fn met_by_none(&self) -> ExpectationResult {
        if self.is_absence {
            return ExpectationResult::default();
        }
        let mismatch = Mismatch {
            field: "call".to_owned(),
            expected: self.call.clone(),
            found: "no call".to_owned(),
        };
        ExpectationResult { mismatches: vec![mismatch], ..ExpectationResult::default() }
    }
}
