//! Requirements for responses: `want` of a step, and `[verify]` of the whole script.

use jiff::SignedDuration;
use serde_json::Value as Json;

use super::declared::Declared;
use crate::base::limits::MAX_ATTEMPTS;
use crate::diag::{
    Form as _, NonEmpty, Problem, Problems, Source, SourceSpan, Spanned, code, json,
};
use crate::form;
use crate::matcher::{HeaderMatchers, PointerMatchers, ResponseMatcher};
use crate::policy::StatusSet;
use crate::record::UnexpectedCalls;

form! {
    /// Requirements for the deliveries of the step, beside those of `[verify]`.
    pub struct WantForm {
        /// Status codes that pass, such as `2xx` or `410`. They replace those of `[verify]` and the
        /// expected reaction to a fault.
        status: Option<NonEmpty<Spanned<String>>>,
        /// Maximum time from the start of the last attempt to the end of the response.
        within: Option<Spanned<SignedDuration>>,
        /// Number of attempts of a delivery.
        attempts: Option<Spanned<i64>>,
        /// Fields of the response body, by JSON pointer: a value, or conditions.
        body: Option<PointerMatchers>,
        /// Response headers, by name: a value, or conditions.
        headers: Option<HeaderMatchers>,
    }
}

form! {
    /// Requirements for every delivery of the scenario.
    pub struct VerifyForm {
        /// Status codes that pass, such as `2xx` or `410`. Default: every 2xx status that the
        /// vendor counts as delivered.
        status: Option<NonEmpty<Spanned<String>>>,
        /// Maximum time from the start of the last attempt to the end of the response. It does not
        /// apply to deliveries with a fault.
        within: Option<Spanned<SignedDuration>>,
        /// `probe` sends two requests with invalid signatures before the first event. The receiver
        /// must reject them.
        signature: Option<Spanned<SignatureMode>>,
        /// How calls to the vendor's API that met no expectation are judged: `strict` fails the run, `warn`
        /// names them in the report, `allow` ignores them. Default: `warn` if a step waits for calls.
        unexpected: Option<Spanned<UnexpectedCalls>>,
    }
}

crate::string_enum! {
    /// How a run tests that the receiver checks signatures.
    pub enum SignatureMode {
        /// With requests that must be rejected.
        Probe = "probe",
    }
}

impl Declared<WantForm> {
    /// Returns the place of `attempts`, if it is set.
    pub(super) fn attempts(&self) -> Option<&SourceSpan> {
        self.form.attempts.as_ref().map(|attempts| &attempts.span)
    }
}

/// Requirements of a step for its deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Statuses that pass, instead of those of the script.
    pub status: Option<StatusSet>,
    /// Requirements for the final response.
    pub response: ResponseMatcher,
    /// The table as it is written, for [`Want::restore`].
    pub declared: Json,
}

/// Requirements of a script for all deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Statuses that pass. Default: those that the vendor counts as delivered.
    pub status: Option<StatusSet>,
    /// Maximum time to the end of a response.
    pub within: Option<SignedDuration>,
    /// Whether requests with invalid signatures are sent before the first event.
    pub probes_signature: bool,
    /// How calls that met no expectation affect the verdict.
    pub unexpected: Option<UnexpectedCalls>,
}

impl Want {
    /// Restores the requirements from [`Want::declared`], which a journal stores.
    pub fn restore(declared: &Json) -> Option<Self> {
        let (node, mut problems) = json::parse(&Source::new("want", declared.to_string()));
        let form = Declared::<WantForm>::read(&node?, &mut problems)?;
        let want = check_want(&form, &mut problems);
        problems.into_result(Some(want)).ok()
    }
}

/// Checks the `want` of a step, except the placeholders in its matchers.
pub(super) fn check_want(declared: &Declared<WantForm>, problems: &mut Problems) -> Want {
    let Declared { form, node } = declared;
    if node.as_table().is_some_and(|table| table.0.is_empty()) {
        let problem = Problem::at(&form.span, code::EMPTY, "`want` requires nothing");
        problems.push(problem.help("for example `want = { body = { \"/ok\" = true } }`"));
    }
    let response = ResponseMatcher {
        within: check_within(form.within.as_ref(), problems),
        attempts: form.attempts.as_ref().and_then(|attempts| check_attempts(attempts, problems)),
        body: form.body.clone().unwrap_or_default(),
        headers: form.headers.clone().unwrap_or_default(),
    };
    let status = form.status.as_ref().and_then(|status| check_status(status, problems));
    Want { status, response, declared: node.to_json() }
}

/// Checks `[verify]`.
pub(super) fn check_verify(
    declared: Option<&Declared<VerifyForm>>,
    problems: &mut Problems,
) -> Verification {
    let Some(Declared { form, node }) = declared else { return Verification::default() };
    if node.as_table().is_some_and(|table| table.0.is_empty()) {
        let problem = Problem::at(&form.span, code::EMPTY, "`[verify]` requires nothing");
        problems.push(
            problem
                .help("add `status`, `within`, `signature` or `unexpected`, or remove the table"),
        );
    }
    Verification {
        status: form.status.as_ref().and_then(|status| check_status(status, problems)),
        within: check_within(form.within.as_ref(), problems),
        probes_signature: form.signature.is_some(),
        unexpected: form.unexpected.as_ref().map(|unexpected| unexpected.value),
    }
}

pub(super) fn check_status(
    statuses: &[Spanned<String>],
    problems: &mut Problems,
) -> Option<StatusSet> {
    for status in statuses {
        if let Err(error) = StatusSet::parse([status.as_str()]) {
            let problem = Problem::at(&status.span, code::UNKNOWN_STATUS, error.to_string());
            problems.push(problem.help("example: `status = [\"2xx\", \"410\"]`"));
        }
    }
    StatusSet::parse(statuses.iter().map(|status| status.as_str())).ok()
}

pub(super) fn check_within(
    within: Option<&Spanned<SignedDuration>>,
    problems: &mut Problems,
) -> Option<SignedDuration> {
    let within = within?;
    if within.value.is_zero() {
        let message = "`within` must be greater than 0";
        let problem = Problem::at(&within.span, code::INVALID_DURATION, message);
        problems.push(problem.help("no receiver responds in no time; write `\"2s\"`, for example"));
    }
    Some(within.value)
}

fn check_attempts(attempts: &Spanned<i64>, problems: &mut Problems) -> Option<u32> {
    let count = u32::try_from(attempts.value).ok();
    let count = count.filter(|count| (1..=MAX_ATTEMPTS).contains(count));
    if count.is_none() {
        let message =
            format!("`attempts` must be from 1 to {MAX_ATTEMPTS}, found {}", attempts.value);
        let problem = Problem::at(&attempts.span, code::INVALID_TYPE, message);
        problems.push(problem.help("the first attempt counts: `attempts = 2` is one retry"));
    }
    count
}
