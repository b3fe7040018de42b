//! `capture`: values that a step keeps from a response, for later steps.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value as Json};

use crate::base::limits::MAX_NAMED;
use crate::base::text::{NAME_RULE, excerpt, is_name};
use crate::diag::{Problem, Problems, Spanned, SyntaxNode, TableOf, code};
use crate::matcher::{check_pointer, field_name, is_pointer};
use crate::record::{AttemptResult, Mismatch};
use crate::template::{FieldType, Object, Value};

/// Maximum number of characters of a response in a message.
const MAX_SHOWN: usize = 120;

/// A value that a step keeps from a response.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Name, as in `${captured.NAME}`.
    pub name: String,
    /// JSON pointer into the body of the response or call; or the name of a value of a call.
    pub pointer: String,
    /// Value for dry runs. A captured value has its type.
    pub example: Option<Json>,
}

impl Capture {
    /// Returns the value in a document, or why it is missing.
    pub(super) fn value(&self, document: Option<&Json>) -> Result<Json, Mismatch> {
        self.checked(document.and_then(|document| document.pointer(&self.pointer)))
    }

    /// Returns a value that was found, or why it cannot be captured.
    pub(super) fn checked(&self, value: Option<&Json>) -> Result<Json, Mismatch> {
        let mismatch = |expected: &str, found: String| Mismatch {
            field: field_name(&self.pointer),
            expected: format!("{expected} for `{}`", self.name),
            found,
        };
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return Err(mismatch("a value", "nothing".to_owned()));
        };
        match self.example.as_ref().map(FieldType::of_json) {
            Some(expected) if expected.about() != FieldType::of_json(value).about() => {
                let found = excerpt(&value.to_string(), MAX_SHOWN);
                Err(mismatch(&format!("{} as in the example", expected.about()), found))
            }
            _ => Ok(value.clone()),
        }
    }
}

/// What a step captures values from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CaptureSource {
    /// The body of a response.
    Response,
    /// A call to the vendor's API, which has named values too.
    Call,
}

/// Checks the captures of a step.
pub(super) fn check_captures(
    captures: &TableOf<Spanned<String>>,
    examples: &TableOf<SyntaxNode>,
    source: CaptureSource,
    problems: &mut Problems,
) -> Vec<Capture> {
    for (key, _) in captures.iter() {
        if !is_name(&key.name) {
            let message = format!("invalid name `{}` of a captured value", key.name);
            let problem = Problem::at(&key.span, code::RESERVED_NAME, message);
            problems.push(problem.help(format!("a name is {NAME_RULE}")));
        }
    }
    for (key, _) in examples.iter().filter(|(key, _)| !captures.contains(&key.name)) {
        let message = format!("the step captures no `{}`", key.name);
        let problem = Problem::at(&key.span, code::UNKNOWN_KEY, message);
        problems.push(problem.suggest_or_list(&key.name, captures.names()));
    }
    let checked = captures.iter().map(|(key, pointer)| {
        if source == CaptureSource::Response || is_pointer(&pointer.value) {
            problems.note(check_pointer(&pointer.value, &pointer.span));
        }
        Capture {
            name: key.name.clone(),
            pointer: pointer.value.clone(),
            example: examples.get(&key.name).map(SyntaxNode::to_json),
        }
    });
    let checked: Vec<Capture> = checked.collect();
    if let Some((key, _)) = captures.0.first().filter(|_| checked.len() > MAX_NAMED) {
        let message = format!("the step captures more than {MAX_NAMED} values");
        problems.push(Problem::at(&key.span, code::TOO_MANY, message));
    }
    checked
}

/// The values that a conversation has captured.
#[derive(Debug, Default)]
pub(super) struct CapturedValues {
    values: Map<String, Json>,
    /// The steps whose values are not determined, by step number.
    open: BTreeMap<usize, OpenStep>,
    /// Number of steps with captures so far.
    begun: usize,
    /// Why a name has no value.
    missing: BTreeMap<String, MissingValue>,
}

/// A step whose values are not determined.
#[derive(Debug)]
struct OpenStep {
    /// Number among the steps with captures, in the order in which they happen.
    order: usize,
    /// What each response has for each capture, by length and text of the delivery id.
    // That is the order of the deliveries. The order in which they settle depends on the receivers.
    responses: BTreeMap<(usize, String), Vec<Result<Json, Mismatch>>>,
}

/// Why a name has no value.
#[derive(Debug)]
struct MissingValue {
    reason: String,
    /// Whether a response lacks the value, which has not been reported as a failure yet.
    is_failure: bool,
}

impl CapturedValues {
    /// Notes that a step with captures happens.
    pub(super) fn begin(&mut self, step: usize, captures: &[Capture]) {
        // What uses the names from now on waits for the new values.
        captures.iter().for_each(|capture| drop(self.values.remove(&capture.name)));
        self.begun += 1;
        let order = self.begun;
        self.open.insert(step, OpenStep { order, responses: BTreeMap::new() });
    }

    /// Returns whether the values of a step are not determined.
    pub(super) fn is_open(&self, step: usize) -> bool {
        self.open.contains_key(&step)
    }

    /// Returns the first step whose values are not determined and for which `is_source` is true.
    pub(super) fn first_open(&self, is_source: impl Fn(usize) -> bool) -> Option<usize> {
        let sources = self.open.iter().filter(|(step, _)| is_source(**step));
        sources.min_by_key(|(_, open)| open.order).map(|(step, _)| *step)
    }

    /// Notes the response to a delivery of a step.
    pub(super) fn note(
        &mut self,
        step: usize,
        captures: &[Capture],
        delivery: &str,
        result: &AttemptResult,
    ) {
        let Some(open) = self.open.get_mut(&step).filter(|_| result.status.is_some()) else {
            return;
        };
        let document: Option<Json> = serde_json::from_slice(result.body.as_bytes()).ok();
        let found = captures.iter().map(|capture| capture.value(document.as_ref()));
        open.responses.insert((delivery.len(), delivery.to_owned()), found.collect());
    }

    /// Determines the values of a step whose deliveries have settled: for each, the one of the first
    /// response that has it.
    pub(super) fn settle(&mut self, step: usize, captures: &[Capture]) {
        let Some(open) = self.open.remove(&step) else { return };
        let mut responses: Vec<_> = open.responses.into_values().collect();
        for (index, capture) in captures.iter().enumerate() {
            let found = responses
                .iter_mut()
                .map(|found| std::mem::replace(&mut found[index], Ok(Json::Null)));
            let (values, errors): (Vec<_>, Vec<_>) = found.partition(Result::is_ok);
            match values.into_iter().flatten().next() {
                Some(value) => {
                    self.missing.remove(&capture.name);
                    self.values.insert(capture.name.clone(), value);
                }
                None => self.note_missing(step, capture, errors.into_iter().find_map(Result::err)),
            }
        }
    }

    fn note_missing(&mut self, step: usize, capture: &Capture, why: Option<Mismatch>) {
        let (name, is_failure) = (capture.name.clone(), why.is_some());
        let reason = match why {
            Some(why) => {
                format!("`captured.{name}` has no value in the responses to step {step}: {why}")
            }
            None => format!("it uses `captured.{name}`, but step {step} got no response"),
        };
        self.values.remove(&name);
        self.missing.insert(name, MissingValue { reason, is_failure });
    }

    /// Determines the values of every step whose deliveries have settled.
    pub(super) fn settle_all(&mut self, captures: &BTreeMap<usize, Arc<[Capture]>>, assumed: bool) {
        while let Some(step) = self.first_open(|_| true) {
            let captures = captures.get(&step).map_or(&[][..], |captures| captures);
            if assumed {
                self.assume(step, captures);
            } else {
                self.settle(step, captures);
            }
        }
    }

    /// Takes the values that an expectation has captured. `captures` are those of its step.
    pub(super) fn take(&mut self, step: usize, captures: &[Capture], found: &Map<String, Json>) {
        for Capture { name, .. } in captures {
            let reason = format!("it uses `captured.{name}`, but step {step} has failed");
            match found.get(name) {
                Some(value) => drop(self.values.insert(name.clone(), value.clone())),
                None => {
                    self.values.remove(name);
                    let missing = MissingValue { reason, is_failure: false };
                    self.missing.insert(name.clone(), missing);
                }
            }
        }
    }

    /// Gives the values of a step those of its examples.
    pub(super) fn assume(&mut self, step: usize, captures: &[Capture]) {
        self.open.remove(&step);
        let examples = captures
            .iter()
            .filter_map(|capture| Some((capture.name.clone(), capture.example.clone()?)));
        self.values.extend(examples);
    }

    /// Returns the values that are determined.
    pub(super) fn values(&self) -> &Map<String, Json> {
        &self.values
    }

    /// Returns why a name has no value, and whether this is a failure that was not reported before.
    pub(super) fn why_missing(&mut self, name: &str) -> (String, bool) {
        match self.missing.get_mut(name) {
            // Reported once, by the first step that needs the value.
            Some(missing) => (missing.reason.clone(), std::mem::take(&mut missing.is_failure)),
            None => (format!("it uses `captured.{name}`, which no step has captured"), false),
        }
    }
}

/// Values of `${captured.NAME}`. Records the first name that has none.
pub(super) struct NamedCaptures<'a> {
    values: &'a Map<String, Json>,
    // `Object::get` takes `&self`, hence the interior mutability.
    missing: OnceLock<String>,
}

impl<'a> NamedCaptures<'a> {
    pub(super) fn new(values: &'a Map<String, Json>) -> Self {
        Self { values, missing: OnceLock::new() }
    }

    /// Returns the first name that a text used although it has no value.
    pub(super) fn missing(&self) -> Option<&str> {
        self.missing.get().map(String::as_str)
    }
}

impl Object for NamedCaptures<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match self.values.get(name) {
            Some(value) => Value::data(value),
            None => {
                self.missing.get_or_init(|| name.to_owned());
                Value::Absent
            }
        }
    }
}
