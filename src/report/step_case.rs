//! The checks of one step of a run, over all its conversations and endpoints.

use serde::{Deserialize, Serialize};

use super::likely_cause::likely_cause;
use crate::base::text::{count, excerpt, shorten, without_markup};
use crate::record::{
    AttemptOutcome, AttemptResult, SettledDelivery, SettledExpectation, SourceLine,
};

/// Maximum number of failures of a step that are described; the others are counted.
const MAX_FAILURES: usize = 5;
/// Maximum number of characters of a body in the description of a failure.
const MAX_EXCERPT: usize = 2_000;

/// Maximum number of characters of a response in one line: enough for a typical JSON error.
const MAX_SHORT_RESPONSE: usize = 400;

/// The checks of a step, or of a handshake or signature probe.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct StepCase {
    /// Number of the step, from 1. Missing for a handshake or probe.
    pub step: Option<usize>,
    /// Key of the action, such as `say`, or the name of the test.
    pub name: String,
    /// Source line of the step, if it comes from a file.
    pub source: Option<SourceLine>,
    /// Number of checks that passed.
    pub passed: u64,
    /// Number of checks that failed.
    pub failed: u64,
    /// Wall time of its requests, in microseconds.
    pub duration_us: u64,
    /// The first failures.
    pub failures: Vec<CaseFailure>,
    /// Why the step was skipped.
    pub skipped: Option<String>,
}

/// A failed check.
#[derive(Debug, Serialize, Deserialize)]
pub struct CaseFailure {
    /// What failed, such as the event type.
    pub subject: String,
    /// What was expected, and what came.
    pub why: String,
    /// The likely cause, if it is known.
    #[serde(default)]
    pub cause: Option<String>,
    /// Whether standin itself could not do its work.
    pub is_error: bool,
    /// Delivery id.
    pub delivery: Option<String>,
    /// Beginning of the request body.
    pub request: Option<String>,
    /// Beginning of the response body.
    pub response: Option<String>,
}

impl StepCase {
    pub(super) fn of_step(step: usize) -> Self {
        Self { step: Some(step), ..Self::default() }
    }

    pub(super) fn of_test(name: &str, result: &AttemptResult, why: Option<&str>) -> Self {
        let failure = why.map(|why| CaseFailure {
            subject: name.to_owned(),
            why: why.to_owned(),
            cause: None, // the reason says what is expected
            is_error: result.outcome == AttemptOutcome::LocalError,
            delivery: None,
            request: None,
            response: response_of(result),
        });
        Self {
            name: name.to_owned(),
            passed: u64::from(why.is_none()),
            failed: u64::from(why.is_some()),
            duration_us: result.timings.total_us,
            failures: failure.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Returns whether nothing was checked or skipped.
    pub(super) fn is_empty(&self) -> bool {
        self.passed == 0 && self.failed == 0 && self.skipped.is_none()
    }

    /// Returns a short title, such as `step 3: say`.
    pub fn title(&self) -> String {
        match self.step {
            Some(step) => format!("step {step}: {}", self.name),
            None => self.name.clone(),
        }
    }

    /// Returns the failures in a line: the first one, and how many there are.
    pub fn message(&self) -> String {
        let Some(first) = self.failures.first() else { return String::new() };
        let checks = self.passed + self.failed;
        let of_all =
            if checks > 1 { format!(" ({} of {checks})", self.failed) } else { String::new() };
        format!("`{}`{of_all}: {}", first.subject, first.why)
    }

    /// Returns the likely cause of the first failure that has one.
    pub fn cause(&self) -> Option<&str> {
        self.failures.iter().find_map(|failure| failure.cause.as_deref())
    }

    /// Says how many failures are not described.
    pub(super) fn more_failures(&self) -> Option<String> {
        let described = u64::try_from(self.failures.len()).unwrap_or(u64::MAX);
        let more = self.failed.saturating_sub(described);
        (more > 0).then(|| format!("… and {}", count(more, "more failure", "more failures")))
    }

    /// Names the case after the action of its step.
    pub(super) fn name_after(&mut self, action: &str) {
        action.clone_into(&mut self.name);
    }

    pub(super) fn skip(&mut self, action: &str, reason: &str) {
        self.name_after(action);
        self.skipped.get_or_insert_with(|| reason.to_owned());
    }

    /// Counts an expectation.
    pub(super) fn count_expectation(&mut self, settled: &SettledExpectation) {
        self.name_after(&settled.request.expectation);
        self.source = self.source.take().or_else(|| settled.source.clone());
        self.duration_us += settled.result.waited_ms * 1_000;
        match &settled.why {
            None => self.passed += 1,
            Some(why) => self.fail(|| CaseFailure {
                subject: settled.request.subject(),
                why: why.clone(),
                cause: None,
                is_error: false,
                delivery: None,
                request: None,
                response: None,
            }),
        }
    }

    /// Counts an action that could not be rendered.
    pub(super) fn drop_action(&mut self, action: &str, reason: &str, source: Option<&SourceLine>) {
        self.name_after(action);
        self.source = self.source.take().or_else(|| source.cloned());
        self.fail(|| CaseFailure {
            subject: action.to_owned(),
            why: format!("could not be rendered: {reason}"),
            cause: None,
            is_error: true,
            delivery: None,
            request: None,
            response: None,
        });
    }

    /// Counts a settled delivery, with its request body and last result if they were kept.
    pub(super) fn settle(
        &mut self,
        settled: &SettledDelivery,
        request: Option<&str>,
        last: Option<&AttemptResult>,
    ) {
        self.source = self.source.take().or_else(|| settled.source.clone());
        self.duration_us += settled.result.timings.total_us;
        if settled.passed {
            self.passed += 1;
            return;
        }
        self.fail(|| CaseFailure {
            subject: settled.event_type.clone(),
            why: settled.why.clone().unwrap_or_default(),
            // A fault can be the cause itself, and a response that the vendor accepts says nothing.
            cause: Some(&settled.result)
                .filter(|_| settled.faults.is_empty() && !settled.accepted)
                .and_then(likely_cause)
                .map(str::to_owned),
            is_error: settled.result.outcome == AttemptOutcome::LocalError,
            delivery: Some(settled.delivery.clone()),
            request: request.map(|body| shorten(body, MAX_EXCERPT)),
            response: last.and_then(response_of),
        });
    }

    fn fail(&mut self, describe: impl FnOnce() -> CaseFailure) {
        self.failed += 1;
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(describe());
        }
    }
}

impl CaseFailure {
    /// Returns the response body in one line: without the markup of a web page, and shortened.
    pub(super) fn short_response(&self) -> Option<String> {
        self.response.as_deref().map(|body| excerpt(&without_markup(body), MAX_SHORT_RESPONSE))
    }
}

/// Returns the beginning of a response body as text.
fn response_of(result: &AttemptResult) -> Option<String> {
    (!result.body.is_empty()).then(|| shorten(&result.body.text(), MAX_EXCERPT))
}
