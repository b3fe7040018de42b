//! Sends a delivery of a journal again.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::RunEnd;
use super::pump::{Observer, pump};
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::base::seed::SeedScope;
use crate::delivery::{
    ClockMode, Delivery, DriverConfig, Endpoint, RequestSigner, StatusCheck, Transport, drive,
};
use crate::fault::{Fault, FaultGroup, Faults};
use crate::platform::Account;
use crate::policy::{Policy, Retry, StatusSet};
use crate::record::{
    PriorAttempts, Record, RecordKind, RecordLog, RecordScope, RunFinished, RunStarted,
    SettledDelivery, SourceLine,
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
    account: Arc<Account>,
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
            check: Arc::new(self.check()),
            source: records.iter().find_map(|record| source_of(record, id)),
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
        let (certainty, account) = (certainty.clone(), Arc::clone(&self.account));
        Some(RedeliveryRequest { started, certainty, delivery, account, redactor })
    }

    /// The statuses with which the delivery passes: those of its run.
    fn check(&self) -> StatusCheck {
        let verify = self.started.verify.as_ref();
        let verify = verify.and_then(|verify| StatusSet::parse(verify.split(", ")).ok());
        StatusCheck { verify, success: self.account.platform.policy.success.clone() }
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

/// The line of a delivery's step, as the record of its result names it.
fn source_of(record: &Record, id: &str) -> Option<SourceLine> {
    match &record.kind {
        RecordKind::DeliverySettled(SettledDelivery { delivery, source, .. }) if delivery == id => {
            source.clone()
        }
        _ => None,
    }
}

/// A text with the secrets in the place of their references.
fn fill(text: &str, known: &BTreeMap<String, &str>) -> String {
    known.iter().fold(text.to_owned(), |text, (reference, secret)| text.replace(reference, secret))
}

/// Sends a delivery once more, and returns the final record. Records go to the log, which is closed
/// behind the last of them.
pub async fn redeliver<T: Transport>(
    request: RedeliveryRequest,
    transport: Arc<T>,
    log: RecordLog,
) -> RunFinished {
    log.redact(request.redactor.clone());
    let observer = Observer::new(Arc::clone(&request.account), Arc::default(), request.delivery.at);
    let sending = tokio::spawn(send(request, transport, log.clone()));
    pump(log, sending, observer).await
}

async fn send<T: Transport>(
    request: RedeliveryRequest,
    transport: Arc<T>,
    log: RecordLog,
) -> RunEnd {
    let RedeliveryRequest { started, certainty, delivery, .. } = request;
    let (conversation, at) = (delivery.conversation, delivery.at);
    let scope = RecordScope { at, conversation: None, step: None };
    log.append(scope, RecordKind::RunStarted(started)).await;
    let scope = RecordScope { at, conversation: Some(conversation), step: Some(delivery.step) };
    let planned = RecordKind::DeliveryPlanned {
        delivery: delivery.id.clone(),
        event_type: delivery.event_type.clone(),
        certainty,
        faults: delivery.faults.clone(),
        body: Arc::clone(&delivery.body),
    };
    log.append(scope, planned).await;
    let config = DriverConfig {
        pace: ClockMode::Virtual,
        start: at,
        conversations: 1,
        shared: false,
        seeds: SeedScope::fixed("redelivery"),
        known: Arc::new(PriorAttempts::default()),
    };
    let handle = drive(transport, log, config);
    handle.submit(delivery);
    handle.drain(conversation).await;
    RunEnd::Played
}
