//! Checks the steps of a scenario about calls of the receiver to the vendor's API.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value as Json;

use super::call_expectation::{ANY_CALL, CallPattern, CallPlan, ScriptedResponse};
use super::call_form::{ExpectForm, ExpectNoneForm, RespondForm};
use super::capture::Capture;
use super::declared::Declared;
use super::literal::refuse_placeholders_in;
use super::matcher_texts::MatcherTexts;
use super::text::Texts;
use super::want::{check_status, check_within};
use crate::base::limits::HANG;
use crate::diag::{Problem, Problems, SourceSpan, Spanned, TableOf, code};
use crate::matcher::{ValueMatchers, is_pointer};
use crate::platform::Platform;
use crate::policy::StatusSet;

/// Time that `expect` waits without `within`.
const DEFAULT_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// Time that `expect_none` waits without `for`.
const DEFAULT_QUIET: SignedDuration = SignedDuration::from_secs(1);

/// Checks what a scenario expects of calls.
pub(super) struct CallChecker<'a> {
    pub(super) texts: &'a Texts,
    pub(super) vendors: &'a [Arc<Platform>],
    pub(super) problems: &'a mut Problems,
}

/// What a step keeps of a call, as it is written and checked.
#[derive(Clone, Copy)]
pub(super) struct DeclaredCaptures<'a> {
    pub(super) written: &'a TableOf<Spanned<String>>,
    pub(super) checked: &'a [Capture],
}

impl CallChecker<'_> {
    /// Checks `expect`.
    pub(super) fn expect(
        &mut self,
        form: &ExpectForm,
        captures: DeclaredCaptures<'_>,
        declared: Json,
    ) -> Option<CallPlan> {
        let respond = form.respond.as_ref().map(|respond| self.respond(respond));
        let status = form.status.as_ref().and_then(|status| check_status(status, self.problems));
        let own_status = respond.as_ref().and_then(|respond| respond.status);
        let own_status = || StatusSet::parse([own_status?.to_string().as_str()]).ok();
        let within = check_within(form.within.as_ref(), self.problems).unwrap_or(DEFAULT_WITHIN);
        let pattern = self.pattern(&form.call, form.matches.as_ref());
        let named = captures.written.iter().filter(|(_, place)| !is_pointer(&place.value));
        named.for_each(|(_, place)| self.field(&form.call.value, &place.value, &place.span));
        Some(CallPlan {
            key: "expect",
            is_absence: false,
            pattern: pattern?,
            status: status.or_else(own_status).unwrap_or_else(StatusSet::success),
            respond: respond.map(Arc::new),
            within,
            captures: captures.checked.to_vec(),
            declared,
        })
    }

    /// Checks what a call gets in place of the vendor's response.
    fn respond(&mut self, form: &RespondForm) -> ScriptedResponse {
        let status = form.status.as_ref().map(|status| (status, u16::try_from(status.value)));
        let in_range = |status: &u16| (200..600).contains(status);
        if let Some((found, status)) = &status
            && !status.as_ref().is_ok_and(in_range)
        {
            let message = format!("the status must be from 200 to 599, found {}", found.value);
            let problem = Problem::at(&found.span, code::OUT_OF_RANGE, message);
            self.problems
                .push(problem.help("an error is `respond = { status = 500 }`, for example"));
        }
        let hangs = form.hang.as_ref().is_some_and(|hang| hang.value);
        let has_response = form.status.is_some() || form.body.is_some() || form.delay.is_some();
        if hangs == has_response {
            let message = if hangs {
                "a call that never gets a response has no `status`, `body` or `delay`"
            } else {
                "`respond` changes nothing"
            };
            let problem = Problem::at(&form.span, code::CONTRADICTION, message);
            self.problems.push(problem.help("write either `hang = true`, or the response"));
        }
        form.body.iter().for_each(|body| refuse_placeholders_in(body, self.problems));
        let body = form
            .body
            .as_ref()
            .map(|body| body.as_text().map_or_else(|| body.to_json().to_string(), str::to_owned));
        let is_json = form.body.as_ref().is_some_and(|body| body.as_text().is_none());
        let delay = form.delay.as_ref().map(|delay| delay.value.unsigned_abs());
        let status = status.and_then(|(_, status)| status.ok());
        ScriptedResponse { status, body, is_json, delay: if hangs { Some(HANG) } else { delay } }
    }

    /// Checks `expect_none`.
    pub(super) fn expect_none(
        &mut self,
        form: &ExpectNoneForm,
        captures: DeclaredCaptures<'_>,
        declared: Json,
    ) -> Option<CallPlan> {
        if let Some((key, _)) = captures.written.0.first() {
            let message = "`expect_none` waits for no call, so there is nothing to capture";
            let problem = Problem::at(&key.span, code::CONTRADICTION, message);
            self.problems.push(problem.help("move `capture` to a step with `expect`"));
        }
        let within = form.for_.as_ref();
        if let Some(within) = within.filter(|within| within.value.is_zero()) {
            let problem =
                Problem::at(&within.span, code::INVALID_DURATION, "`for` must be greater than 0");
            self.problems.push(problem.help("write how long no call may come, such as `\"2s\"`"));
        }
        let pattern = if form.call.value == ANY_CALL {
            self.call_pattern(&form.call, form.matches.as_ref())
        } else {
            self.pattern(&form.call, form.matches.as_ref())
        };
        Some(CallPlan {
            key: "expect_none",
            is_absence: true,
            pattern: pattern?,
            status: StatusSet::success(),
            respond: None,
            within: within.map_or(DEFAULT_QUIET, |within| within.value),
            captures: Vec::new(),
            declared,
        })
    }

    /// Checks which calls are meant. Returns `None` if a text has problems.
    pub(super) fn pattern(
        &mut self,
        call: &Spanned<String>,
        matches: Option<&Declared<ValueMatchers>>,
    ) -> Option<CallPattern> {
        self.call(call);
        self.call_pattern(call, matches)
    }

    /// Checks the conditions on the values of a call.
    fn call_pattern(
        &mut self,
        call: &Spanned<String>,
        matches: Option<&Declared<ValueMatchers>>,
    ) -> Option<CallPattern> {
        let keys = matches.iter().flat_map(|matches| matches.form.keys());
        for key in keys.filter(|key| !is_pointer(&key.name)) {
            self.field(&call.value, &key.name, &key.span);
        }
        let texts = match matches {
            Some(matches) => MatcherTexts::compile(&matches.node, self.texts, self.problems)?,
            None => MatcherTexts::default(),
        };
        let matchers = matches.map(|matches| matches.form.clone()).unwrap_or_default();
        Some(CallPattern { call: call.value.clone(), matchers, texts })
    }

    /// Reports a call that no vendor has.
    fn call(&mut self, call: &Spanned<String>) {
        let known: BTreeSet<&str> =
            self.vendors.iter().flat_map(|vendor| vendor.api.call_names()).collect();
        if !known.contains(call.as_str()) {
            let message = format!("no vendor of the scenario has the call `{}`", call.value);
            let problem = Problem::at(&call.span, code::UNKNOWN_CALL, message);
            self.problems.push(problem.suggest_or_list(call, known));
        }
    }

    /// Reports a value that no vendor's call has.
    fn field(&mut self, call: &str, name: &str, span: &SourceSpan) {
        let fields: Vec<BTreeSet<&str>> =
            self.vendors.iter().filter_map(|vendor| fields_of(vendor, call)).collect();
        // An unknown call has been reported.
        if fields.is_empty() || fields.iter().any(|fields| fields.contains(name)) {
            return;
        }
        let known: BTreeSet<&str> = fields.into_iter().flatten().collect();
        let message = format!("the call `{call}` has no value `{name}`");
        let problem = Problem::at(span, code::UNKNOWN_DATA, message);
        let bare = name.strip_prefix("field.").filter(|bare| known.contains(bare));
        self.problems.push(if let Some(bare) = bare {
            problem.help(format!("write `{bare}`: only texts of the vendor's files need `field.`"))
        } else if known.is_empty() {
            problem.help("write a JSON pointer into its body, such as `/text`")
        } else {
            problem.suggest_or_list(name, known)
        });
    }
}

/// Returns the names of the values that a call, or any call, can have at a vendor.
fn fields_of<'v>(vendor: &'v Platform, call: &str) -> Option<BTreeSet<&'v str>> {
    if call != ANY_CALL {
        return vendor.api.fields_of_call(call);
    }
    let calls = vendor.api.call_names().into_iter();
    let fields: Vec<_> = calls.filter_map(|call| vendor.api.fields_of_call(call)).collect();
    (!fields.is_empty()).then(|| fields.into_iter().flatten().collect())
}
