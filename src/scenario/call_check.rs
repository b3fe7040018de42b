//! Checks the steps of a scenario about calls of the receiver to the vendor's API.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value as Json;

use super::call_expectation::{CallPattern, CallPlan, MatcherTexts};
use super::call_form::{CallMatchForm, ExpectForm};
use super::capture::Capture;
use super::text::Texts;
use super::want::{check_status, check_within};
use crate::diag::{Key, Problem, Problems, SourceSpan, Spanned, SyntaxNode, TableOf, code};
use crate::matcher::is_pointer;
use crate::platform::Platform;
use crate::policy::StatusSet;

/// Time that `expect` waits without `within`.
const DEFAULT_WITHIN: SignedDuration = SignedDuration::from_secs(5);

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
        let status = form.status.as_ref().and_then(|status| check_status(status, self.problems));
        let within = check_within(form.within.as_ref(), self.problems).unwrap_or(DEFAULT_WITHIN);
        let pattern = self.pattern(&form.call, form.matches.as_ref());
        let named = captures.written.iter().filter(|(_, place)| !is_pointer(&place.value));
        named.for_each(|(_, place)| self.field(&form.call.value, &place.value, &place.span));
        Some(CallPlan {
            key: "expect",
            pattern: pattern?,
            status: status.unwrap_or_else(StatusSet::success),
            within,
            captures: captures.checked.to_vec(),
            declared,
        })
    }

    /// Checks which calls are meant. Returns `None` if a text has problems.
    fn pattern(
        &mut self,
        call: &Spanned<String>,
        matches: Option<&CallMatchForm>,
    ) -> Option<CallPattern> {
        self.call(call);
        let keys = matches.iter().flat_map(|matches| matches.matchers.keys());
        for key in keys.filter(|key| !is_pointer(&key.name)) {
            self.field(&call.value, &key.name, &key.span);
        }
        let texts = match matches {
            Some(matches) => self.matcher_texts(matches)?,
            None => MatcherTexts::default(),
        };
        let matchers = matches.map(|matches| matches.matchers.clone()).unwrap_or_default();
        Some(CallPattern { call: call.value.clone(), matchers, texts })
    }

    /// Reports a call that no vendor has.
    fn call(&mut self, call: &Spanned<String>) {
        let known: BTreeSet<&str> =
            self.vendors.iter().flat_map(|vendor| vendor.api.call_names()).collect();
        if !known.contains(call.as_str()) {
            let message = format!("no vendor has the call `{}`", call.value);
            let problem = Problem::at(&call.span, code::UNKNOWN_CALL, message);
            self.problems.push(problem.suggest_or_list(call, known));
        }
    }

    /// Reports a value that no vendor's call has.
    fn field(&mut self, call: &str, name: &str, span: &SourceSpan) {
        let fields: Vec<BTreeSet<&str>> =
            self.vendors.iter().filter_map(|vendor| vendor.api.fields_of_call(call)).collect();
        // An unknown call has been reported.
        if fields.is_empty() || fields.iter().any(|fields| fields.contains(name)) {
            return;
        }
        let known: BTreeSet<&str> = fields.into_iter().flatten().collect();
        let message = format!("the call `{call}` has no value `{name}`");
        let problem = Problem::at(span, code::UNKNOWN_DATA, message);
        self.problems.push(if known.is_empty() {
            problem.help("write a JSON pointer into its body, such as `/text`")
        } else {
            problem.suggest_or_list(name, known)
        });
    }

    /// Compiles the texts of a matcher that have placeholders.
    fn matcher_texts(&mut self, form: &CallMatchForm) -> Option<MatcherTexts> {
        let mut written = BTreeMap::new();
        let mut entries: Vec<(Key, SyntaxNode)> = Vec::new();
        for (number, node) in form.texts().into_iter().enumerate() {
            let name = number.to_string();
            written.extend(node.as_text().map(|text| (name.clone(), text.to_owned())));
            entries.push((Key { name, span: node.span.clone() }, node.clone()));
        }
        let Some((first, _)) = entries.first() else { return Some(MatcherTexts::default()) };
        let span = first.span.clone();
        let template = self.texts.compile_data(&entries, &span, self.problems)?;
        Some(MatcherTexts { written, template: Some(template) })
    }
}
