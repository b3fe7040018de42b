//! One run as reports in files show it, collected from its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::advice::Advice;
use super::step_case::StepCase;
use crate::base::limits::{MAX_REPORT_BYTES, MAX_REPORT_ENTRIES};
use crate::fault::Faults;
use crate::record::{
    ActionSummary, AttemptResult, Method, Record, RecordKind, RunFinished, RunStarted,
    SettledDelivery, Verdict,
};

/// A run, in the order in which things happened.
///
/// Of a run with very many requests, `entries` has the first ones. `cases` count all of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunReport {
    /// The parameters of the run.
    pub started: RunStarted,
    /// Wall time of its start.
    pub wall_time: Timestamp,
    /// What happened.
    pub entries: Vec<ReportEntry>,
    /// Number of further entries that are not kept.
    pub omitted: u64,
    /// The checks of the run, by step.
    pub cases: Vec<StepCase>,
    /// Likely causes of failures, and what to do about them.
    pub advice: Vec<String>,
    /// The result. Missing if the run was not finished.
    pub finished: Option<RunFinished>,
}

/// Something that happened in a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReportEntry {
    /// Run time.
    pub run_time: Timestamp,
    /// Number of the conversation, from 1.
    pub conversation: Option<u32>,
    /// Number of the step, from 1.
    pub step: Option<usize>,
    /// What happened.
    pub content: EntryContent,
}

/// The content of an entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryContent {
    /// Somebody did something.
    Action(ActionSummary),
    /// Somebody did something that follows from another action, without a step.
    ImpliedAction(ActionSummary),
    /// A fact about the run in a sentence.
    Note(String),
    /// A handshake or signature probe.
    Test(TestReport),
    /// A delivery with its attempts.
    Delivery(Box<DeliveryReport>),
}

/// A request that tests the endpoint before the first event.
#[derive(Debug, Serialize, Deserialize)]
pub struct TestReport {
    /// What is tested: `handshake`, or `signature probe` with what was invalid.
    pub title: String,
    /// Whether it passed.
    pub passed: bool,
    /// Why it failed.
    pub why: Option<String>,
    /// The request and its result.
    pub exchange: ExchangeReport,
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeliveryReport {
    /// Delivery id.
    pub delivery: String,
    /// Number of the endpoint, from 1.
    pub endpoint: u32,
    /// The vendor's name of the event type.
    pub event_type: String,
    /// Evidence for the payload's format.
    pub certainty: String,
    /// The injected faults.
    pub faults: Faults,
    /// Whether it is a control.
    pub control: bool,
    /// The request body.
    pub body: Arc<str>,
    /// The requests.
    pub attempts: Vec<ExchangeReport>,
    /// The outcome. Missing if the run ended before it.
    pub settled: Option<SettledDelivery>,
}

/// A request and its result. The body of a delivery's requests is that of the delivery.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExchangeReport {
    /// HTTP method.
    pub method: Method,
    /// Request URL.
    pub url: String,
    /// Request headers, in order.
    pub headers: Vec<(String, String)>,
    /// The request body, unless it is that of the delivery.
    pub body: Option<Arc<str>>,
    /// Wall time of the request.
    pub wall_time: Timestamp,
    /// The result. Missing if the run ended before it.
    pub result: Option<AttemptResult>,
}

/// Collects the records of a run.
#[derive(Debug, Default)]
pub struct RunCollector {
    started: Option<RunStarted>,
    wall_time: Timestamp,
    entries: Vec<ReportEntry>,
    /// The approximate size of the kept bodies, in bytes.
    bytes: usize,
    omitted: u64,
    /// Index of the entry of a delivery that has not settled.
    open: BTreeMap<String, usize>,
    /// The request of the handshake or probe that has no result yet, by endpoint.
    tests: BTreeMap<u32, ExchangeReport>,
    test_cases: Vec<StepCase>,
    cases: BTreeMap<usize, StepCase>,
    advice: Advice,
    finished: Option<RunFinished>,
    ended_at: Timestamp,
}

impl RunCollector {
    /// Takes a record into account.
    pub fn record(&mut self, record: &Record) {
        self.advice.count(record);
        self.ended_at = record.wall_time;
        match &record.kind {
            RecordKind::RunStarted(run) => {
                self.started = Some(run.clone());
                self.wall_time = record.wall_time;
            }
            RecordKind::RunFinished(run) => self.finished = Some(run.clone()),
            RecordKind::ActionDone(action) => {
                self.case(record, |case| case.name_after(&action.action));
                self.push(record, EntryContent::Action(action.clone()));
                self.note_unsubscribed(record, action);
            }
            RecordKind::ActionImplied(action) => {
                self.push(record, EntryContent::ImpliedAction(action.clone()));
                self.note_unsubscribed(record, action);
            }
            RecordKind::ActionSkipped { action, reason } => {
                self.case(record, |case| case.skip(action, reason));
                self.note(record, format!("`{action}` skipped: {reason}"));
            }
            RecordKind::ActionDropped { action, reason, source } => {
                self.case(record, |case| case.drop_action(action, reason, source.as_ref()));
                self.note(record, format!("`{action}` could not be rendered: {reason}"));
            }
            RecordKind::ActionSilent { reason, .. } => {
                self.note(record, format!("no webhook: {reason}"));
            }
            RecordKind::ExpectationFinished(settled) => {
                self.case(record, |case| case.count_expectation(settled));
            }
            RecordKind::GateChanged { gate, state } => {
                self.note(record, format!("gate of {gate}: {state}"));
            }
            kind if kind.delivery().is_some() => self.delivery(record),
            _ => self.test(record),
        }
    }

    /// Returns the report; `None` if the run has not started.
    pub fn finish(self) -> Option<RunReport> {
        let started = self.started?;
        let has_passed = self.finished.as_ref().is_some_and(|run| run.verdict == Verdict::Passed);
        let texts = || self.advice.texts(&started, self.ended_at, false);
        let advice = if has_passed { Vec::new() } else { texts() };
        let steps = self.cases.into_values().filter(|case| !case.is_empty());
        Some(RunReport {
            started,
            wall_time: self.wall_time,
            entries: self.entries,
            omitted: self.omitted,
            cases: self.test_cases.into_iter().chain(steps).collect(),
            advice,
            finished: self.finished,
        })
    }

    /// Changes the case of the record's step.
    fn case(&mut self, record: &Record, change: impl FnOnce(&mut StepCase)) {
        if let Some(step) = record.step {
            change(self.cases.entry(step).or_insert_with(|| StepCase::of_step(step)));
        }
    }

    fn note(&mut self, record: &Record, text: String) {
        self.push(record, EntryContent::Note(text));
    }

    fn note_unsubscribed(&mut self, record: &Record, action: &ActionSummary) {
        for event_type in &action.unsubscribed {
            self.note(record, format!("{event_type} not sent (no subscription)"));
        }
    }

    /// Adds an entry and returns its index, if there is room for it.
    fn push(&mut self, record: &Record, content: EntryContent) -> Option<usize> {
        if self.entries.len() >= MAX_REPORT_ENTRIES || self.bytes >= MAX_REPORT_BYTES {
            self.omitted += 1;
            return None;
        }
        let Record { run_time, conversation, step, .. } = *record;
        self.entries.push(ReportEntry { run_time, conversation, step, content });
        Some(self.entries.len() - 1)
    }

    fn delivery(&mut self, record: &Record) {
        match &record.kind {
            RecordKind::DeliveryPlanned {
                delivery,
                endpoint,
                event_type,
                certainty,
                faults,
                control,
                body,
                ..
            } => {
                self.bytes += body.len();
                let planned = DeliveryReport {
                    delivery: delivery.clone(),
                    endpoint: *endpoint,
                    event_type: event_type.clone(),
                    certainty: certainty.clone(),
                    faults: faults.clone(),
                    control: *control,
                    body: Arc::clone(body),
                    attempts: Vec::new(),
                    settled: None,
                };
                let index = self.push(record, EntryContent::Delivery(Box::new(planned)));
                self.open.extend(index.map(|index| (delivery.clone(), index)));
            }
            RecordKind::AttemptStarted { delivery, method, url, headers, .. } => {
                let exchange = ExchangeReport {
                    method: *method,
                    url: url.clone(),
                    headers: headers.clone(),
                    body: None,
                    wall_time: record.wall_time,
                    result: None,
                };
                self.change(delivery, |open| open.attempts.push(exchange));
            }
            RecordKind::AttemptFinished { delivery, result, .. } => {
                self.bytes += result.body.len();
                let result = Some(result.clone());
                self.change(delivery, |open| {
                    if let Some(last) = open.attempts.last_mut() {
                        last.result = result;
                    }
                });
            }
            RecordKind::DeliverySettled(settled) => {
                self.change(&settled.delivery, |open| open.settled = Some(settled.clone()));
                self.settle(record, settled);
            }
            _ => {}
        }
    }

    /// Counts a settled delivery in the case of its step.
    fn settle(&mut self, record: &Record, settled: &SettledDelivery) {
        let Some(step) = record.step else { return };
        let case = self.cases.entry(step).or_insert_with(|| StepCase::of_step(step));
        let index = self.open.remove(&settled.delivery);
        match index.map(|index| &self.entries[index].content) {
            Some(EntryContent::Delivery(sent)) => {
                let last = sent.attempts.last().and_then(|attempt| attempt.result.as_ref());
                case.settle(settled, Some(&sent.body), last);
            }
            _ => case.settle(settled, None, None),
        }
    }

    /// Changes a delivery that has not settled.
    fn change(&mut self, delivery: &str, change: impl FnOnce(&mut DeliveryReport)) {
        let Some(index) = self.open.get(delivery) else { return };
        if let EntryContent::Delivery(open) = &mut self.entries[*index].content {
            change(open);
        }
    }

    /// Handles the records of handshakes and probes.
    fn test(&mut self, record: &Record) {
        let exchange =
            |url: &String, headers: &[(String, String)], body: Arc<str>| ExchangeReport {
                method: Method::Post,
                url: url.clone(),
                headers: headers.to_vec(),
                body: Some(body),
                wall_time: record.wall_time,
                result: None,
            };
        match &record.kind {
            RecordKind::HandshakeSent { endpoint, url, body, .. } => {
                let body = Arc::from(body.as_str());
                self.tests.insert(*endpoint, exchange(url, &[], body));
            }
            RecordKind::ProbeSent { endpoint, url, headers, body, .. } => {
                self.tests.insert(*endpoint, exchange(url, headers, Arc::clone(body)));
            }
            RecordKind::HandshakeFinished { endpoint, result, error, .. } => {
                self.end_test(record, *endpoint, "handshake".into(), result, error.as_deref());
            }
            RecordKind::ProbeFinished { endpoint, fault, result, why, .. } => {
                let title = format!("signature probe {fault}");
                self.end_test(record, *endpoint, title, result, why.as_deref());
            }
            RecordKind::ProbeSkipped { fault, reason, .. } => {
                self.note(record, format!("signature probe `{fault}` is not applicable: {reason}"));
            }
            _ => {}
        }
    }

    fn end_test(
        &mut self,
        record: &Record,
        endpoint: u32,
        title: String,
        result: &AttemptResult,
        why: Option<&str>,
    ) {
        let Some(mut exchange) = self.tests.remove(&endpoint) else { return };
        exchange.result = Some(result.clone());
        self.test_cases.push(StepCase::of_test(&title, result, why));
        let why = why.map(str::to_owned);
        let test = TestReport { title, passed: why.is_none(), why, exchange };
        self.push(record, EntryContent::Test(test));
    }
}
