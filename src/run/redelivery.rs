//! Sends a delivery of a journal again.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use url::Url;

use super::context::RunContext;
use crate::base::clock::{Clock, Stopwatch};
use crate::base::limits::RECORD_QUEUE;
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::base::seed::SeedScope;
use crate::delivery::{
    ClockMode, Delivery, DriverConfig, Endpoint, RequestSigner, Transport, drive,
};
use crate::fault::{Fault, FaultGroup, Faults};
use crate::platform::Account;
use crate::policy::{Policy, Retry};
use crate::record::{
    PriorAttempts, Record, RecordKind, RecordScope, Recorder, RunFinished, RunStarted, Verdict,
};

/// What is known of the run that a delivery belongs to, and how it is sent again.
#[derive(Clone, Debug)]
pub struct Redelivery {
    /// The run's number in the journal.
    pub run: i64,
    /// What it was.
    pub started: RunStarted,
    /// The account, as it is now.
    pub account: Arc<Account>,
    /// The headers beside the vendor's, as they are now.
    pub headers: Vec<(String, Secret)>,
    /// Whether headers and signature are made anew.
    pub fresh: bool,
    /// Where to, instead of where it went.
    pub to: Option<Url>,
}

/// A delivery that is ready to be sent again.
#[derive(Debug)]
pub struct RedeliveryRequest {
    started: RunStarted,
    certainty: String,
    delivery: Delivery,
    redactor: Redactor,
}

impl RedeliveryRequest {
    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.delivery.endpoint.url
    }
}

impl Redelivery {
    /// The delivery of this id, as the records tell it: its secrets are filled in, and where there
    /// were any, it is signed anew.
    pub fn order(&self, id: &str, records: &[Record]) -> Option<RedeliveryRequest> {
        let planned = records.iter().find_map(|record| match &record.kind {
            RecordKind::DeliveryPlanned { delivery, event_type, certainty, faults, body }
                if delivery == id =>
            {
                Some((record, event_type, certainty, (faults, body)))
            }
            _ => None,
        });
        let (record, event_type, certainty, (faults, body)) = planned?;
        // It is wrong again as it was; when it goes out is up to whoever asks.
        let is_kept = |fault: &&Fault| fault.kind.group() != FaultGroup::Order;
        let faults = Faults(faults.0.iter().filter(is_kept).cloned().collect());
        let secrets = self.secrets(&faults);
        let secrets = || secrets.iter().map(|(reference, secret)| (reference.clone(), secret));
        let last = records.iter().rev().find_map(|record| match &record.kind {
            RecordKind::AttemptStarted { delivery, attempt, hop: 0, url, headers, .. }
                if delivery == id =>
            {
                Some((*attempt, url, headers))
            }
            _ => None,
        });
        let (attempt, url, headers) = last?;
        let known: BTreeMap<String, &str> =
            secrets().map(|(reference, secret)| (reference, secret.expose())).collect();
        let whole = fill(body, &known);
        let told: Vec<(String, String)> =
            headers.iter().map(|(name, value)| (name.clone(), fill(value, &known))).collect();
        let held_secrets = *whole != **body || told != *headers;
        let headers = match (self.fresh, held_secrets) {
            (true, _) => self.signed(&whole, (attempt + 1, &faults), &told),
            (false, true) => self.signed(&whole, (attempt, &faults), &told),
            (false, false) => told,
        };
        let url = self.to.clone().or_else(|| Url::parse(&fill(url, &known)).ok())?;
        let dress: RequestSigner = Arc::new(move |_, _| headers.clone());
        let delivery = Delivery {
            id: id.to_owned(),
            conversation: record.conversation.unwrap_or(1),
            step: record.step.unwrap_or(0),
            event_type: event_type.clone(),
            body: whole.into(),
            at: record.run_time,
            endpoint: Arc::new(Endpoint::new(1, url.clone(), dress)),
            policy: Arc::new(Policy { retry: Retry::None, ..self.account.policy(event_type) }),
            faults,
        };
        let redactor = Redactor::new(secrets());
        let started = RunStarted {
            scenario: format!(
                "{} (delivery {id} of run {} again)",
                self.started.scenario, self.run
            ),
            conversations: 1,
            url: url.to_string(),
            digest: String::new(),
            resumes: None,
            chaos: None,
            ..self.started.clone()
        };
        Some(RedeliveryRequest { started, certainty: certainty.clone(), delivery, redactor })
    }

    /// Every secret that may have been in the delivery, with what stands in its place in a record.
    fn secrets(&self, faults: &Faults) -> Vec<(String, Secret)> {
        let own = self.account.secret_references();
        let headers = self.headers.iter();
        let headers = headers.map(|(name, secret)| (format!("${{header.{name}}}"), secret));
        let whole = own.chain(headers).map(|(reference, secret)| (reference, secret.clone()));
        let spoiled = faults.of(FaultGroup::Token).map(|_| self.account.spoiled_secrets());
        whole.chain(spoiled.into_iter().flatten()).collect()
    }

    /// The vendor's headers made anew, and the others as they were.
    fn signed(
        &self,
        body: &str,
        (attempt, faults): (u32, &Faults),
        told: &[(String, String)],
    ) -> Vec<(String, String)> {
        let mut headers = self.account.headers_with(body, attempt, faults);
        let is_own = |name: &str| headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let others: Vec<_> = told.iter().filter(|(name, _)| !is_own(name)).cloned().collect();
        headers.extend(others);
        headers
    }
}

/// A text with the secrets in the place of their references.
fn fill(text: &str, known: &BTreeMap<String, &str>) -> String {
    known.iter().fold(text.to_owned(), |text, (reference, secret)| text.replace(reference, secret))
}

/// Sends an order; records go to the journal and to the sink.
pub async fn redeliver<T: Transport>(
    order: RedeliveryRequest,
    context: RunContext,
    (transport, clock): (Arc<T>, Clock),
    sink: mpsc::Sender<Record>,
) -> RunFinished {
    let watch = Stopwatch::start();
    let (inner, mut records) = mpsc::channel(RECORD_QUEUE);
    let RedeliveryRequest { started, certainty, delivery, redactor } = order;
    let scope = RecordScope { at: delivery.at, conversation: None, step: None };
    let recorder = Recorder::new(1, clock, redactor.clone(), inner);
    let last = Recorder::new(1, clock, redactor, mpsc::channel(1).0);
    let sending = tokio::spawn(send(started, certainty, delivery, (transport, recorder)));
    let mut right = 0;
    while let Some(entry) = records.recv().await {
        if let RecordKind::DeliverySettled(settled) = &entry.record.kind {
            let judged = settled.faults.judge(settled.result.final_status(), settled.attempts);
            right = u64::from(judged.unwrap_or(settled.accepted));
        }
        context.pass(entry, &sink).await;
    }
    let finished = RunFinished {
        verdict: if right == 1 { Verdict::Passed } else { Verdict::Failed },
        reason: sending.await.err().map(|error| format!("standin itself broke: {error}")),
        more_failures: Vec::new(),
        deliveries: 1,
        passed: right,
        handshakes: 0,
        attempts: 1,
        unsubscribed: 0,
        skipped: 0,
        files: None,
        duration_ms: watch.millis(),
    };
    context.pass(last.entry(scope, RecordKind::RunFinished(finished.clone())), &sink).await;
    finished
}

async fn send<T: Transport>(
    started: RunStarted,
    certainty: String,
    delivery: Delivery,
    (transport, recorder): (Arc<T>, Recorder),
) {
    let (conversation, at): (u32, Timestamp) = (delivery.conversation, delivery.at);
    let scope = RecordScope { at, conversation: None, step: None };
    recorder.append(scope, RecordKind::RunStarted(started)).await;
    let scope = RecordScope { at, conversation: Some(conversation), step: Some(delivery.step) };
    let what = RecordKind::DeliveryPlanned {
        delivery: delivery.id.clone(),
        event_type: delivery.event_type.clone(),
        certainty,
        faults: delivery.faults.clone(),
        body: Arc::clone(&delivery.body),
    };
    recorder.append(scope, what).await;
    let course = DriverConfig {
        pace: ClockMode::Virtual,
        start: at,
        conversations: 1,
        shared: false,
        seeds: SeedScope::fixed("redelivery"),
        known: Arc::new(PriorAttempts::default()),
    };
    let handle = drive(transport, recorder, course);
    handle.submit(delivery);
    handle.drain(conversation).await;
}
