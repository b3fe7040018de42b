//! Redelivery: sends a delivery of a journal once more.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
use url::Url;

use super::limits::LimitCounter;
use super::live::ServedBeginning;
use super::pump::{Observer, RunEnd, pump};
use crate::base::redact::Redactor;
use crate::base::references::KnownSecrets;
use crate::base::secret::Secret;
use crate::base::seed::SeedScope;
use crate::delivery::{
    AttemptSlots, ClockMode, ConnectionOptions, ConversationKey, Delivery, DeliveryCheck,
    DrivenRun, Endpoint, NoHost, RequestSigner, StepWant, Transport, drive,
};
use crate::emulator::EndpointPlan;
use crate::fault::{Fault, FaultGroup, Faults};
use crate::platform::{Account, FaultInjector, RequestFacts};
use crate::policy::{Policy, Retry, StatusSet};
use crate::record::{
    EventFacts, PriorAttempts, Record, RecordKind, RecordLog, RecordScope, RunFinished, RunStarted,
    SettledDelivery, SourceLine,
};
use crate::scenario::Want;

/// The run that a delivery belongs to, and how the delivery is sent again.
#[derive(Clone, Debug)]
pub struct Redelivery {
    /// The run's number in the journal.
    pub run: i64,
    /// The run's first record.
    pub started: RunStarted,
    /// The account, with its present credentials.
    pub account: Arc<Account>,
    /// The configured endpoints, with the present values of their secrets.
    pub endpoints: Vec<EndpointPlan>,
    /// The time of sending in new headers and signatures; `None` sends the original ones.
    pub fresh: Option<Timestamp>,
    /// The endpoint to send to, instead of the original one.
    pub to: Option<EndpointPlan>,
    /// How connections are made to a URL that belongs to no endpoint.
    pub options: Arc<ConnectionOptions>,
    /// What is different from the original delivery.
    pub change: DeliveryChange,
}

/// How a redelivery differs from the original.
#[derive(Clone, Debug, Default)]
pub struct DeliveryChange {
    /// The body, with references in place of secrets; `None` for the original one.
    pub body: Option<String>,
    /// The faults; `None` for those of the original.
    pub faults: Option<Faults>,
}

/// A delivery that is ready to be sent again.
#[derive(Debug)]
pub struct RedeliveryRequest {
    started: RunStarted,
    /// Sent first. A delivery with a fault needs one, as in a run.
    control: Option<RestoredDelivery>,
    restored: RestoredDelivery,
    account: Arc<Account>,
    redactor: Redactor,
    /// What a server records first.
    beginning: Option<ServedBeginning>,
}

/// A delivery that was restored from its records.
#[derive(Debug)]
struct RestoredDelivery {
    certainty: String,
    /// The reference to the URL of its endpoint.
    reference: Option<String>,
    delivery: Delivery,
    event: Option<Arc<EventFacts>>,
}

impl RedeliveryRequest {
    /// Records this at the beginning.
    #[must_use]
    pub fn served(self, beginning: ServedBeginning) -> Self {
        Self { beginning: Some(beginning), ..self }
    }

    /// The URL it is sent to.
    pub fn url(&self) -> &Url {
        &self.restored.delivery.endpoint.url
    }

    /// The reference that appears in output in place of the URL.
    pub fn reference(&self) -> Option<&str> {
        self.restored.reference.as_deref()
    }
}

impl RestoredDelivery {
    /// The record that announces it.
    fn planned(&self, control: bool) -> RecordKind {
        let delivery = &self.delivery;
        RecordKind::DeliveryPlanned {
            delivery: delivery.id.clone(),
            endpoint: delivery.endpoint.number,
            event_type: delivery.event_type.clone(),
            certainty: self.certainty.clone(),
            faults: delivery.faults.clone(),
            control,
            body: Arc::clone(&delivery.body),
            event: self.event.clone(),
        }
    }
}

impl Redelivery {
    /// The delivery of this id, restored from the records. Secrets replace their references, and if
    /// there were any, the request is signed again. Returns nothing if the run sent no such delivery.
    pub fn request(&self, id: &str, records: &[Record]) -> Option<RedeliveryRequest> {
        let mut stored = StoredDelivery::find(id, records)?;
        let changed = self.change.faults.as_ref();
        stored.faults = changed.unwrap_or(&stored.faults).clone();
        let secrets = self.secrets(&stored.faults);
        let secrets = || secrets.iter().map(|(reference, secret)| (reference.clone(), secret));
        let control = StoredDelivery::control(&stored, records);
        let control =
            control.and_then(|control| self.restore(control, records, &DeliveryChange::default()));
        let restored = self.restore(stored, records, &self.change)?;
        // In one conversation, so that the control is sent before the delivery.
        let conversation = restored.delivery.conversation;
        let control = control.map(|control| RestoredDelivery {
            delivery: Delivery { conversation, ..control.delivery },
            ..control
        });
        Some(RedeliveryRequest {
            started: self.started(id, restored.delivery.step, &restored.delivery.endpoint.url),
            control,
            restored,
            account: Arc::clone(&self.account),
            redactor: Redactor::new(secrets()),
            beginning: None,
        })
    }

    /// Restores a delivery from its records.
    fn restore(
        &self,
        stored: StoredDelivery<'_>,
        records: &[Record],
        change: &DeliveryChange,
    ) -> Option<RestoredDelivery> {
        let secrets = self.secrets(&stored.faults);
        let exposed =
            |(reference, secret): (String, Secret)| (reference, secret.expose().to_owned());
        let known: KnownSecrets = secrets.into_iter().map(exposed).collect();
        let seeds = SeedScope::fixed("redelivery");
        let mut body = known.fill(change.body.as_deref().unwrap_or(stored.body));
        if let Some(faults) = &change.faults {
            body = FaultInjector::of(&self.account).body(&body, faults, &seeds, stored.id);
        }
        let sent: Vec<(String, String)> =
            stored.headers.iter().map(|(name, value)| (name.clone(), known.fill(value))).collect();
        let held_secrets = *body != *stored.body || sent != *stored.headers;
        let headers = match (self.fresh, held_secrets) {
            (Some(now), _) => self.signed(&stored.request(&body, 1, now), &stored.faults, &sent),
            (None, true) => {
                let request = stored.request(&body, 0, stored.sent_at);
                self.signed(&request, &stored.faults, &sent)
            }
            (None, false) => sent,
        };
        let to = self.to.as_ref();
        let url = to.map(|to| to.url.clone());
        let url = url.or_else(|| Url::parse(&known.fill(stored.url)).ok())?;
        let own = to.or_else(|| self.endpoints.iter().find(|endpoint| endpoint.url == url));
        let options = own.map_or(&self.options, |endpoint| &endpoint.options);
        let signer: RequestSigner = Arc::new(move |_, _, _| headers.clone());
        // Sent once: the user decides about another attempt.
        let own_policy = self.account.policy(stored.event_type);
        let delivery = Delivery {
            id: stored.id.to_owned(),
            conversation: ConversationKey {
                run: 1,
                number: stored.planned.conversation.unwrap_or(1),
            },
            step: stored.planned.step,
            event_type: stored.event_type.to_owned(),
            body: body.into(),
            at: stored.planned.run_time,
            endpoint: Arc::new(Endpoint {
                options: Arc::clone(options),
                ..Endpoint::new(1, url, signer)
            }),
            policy: Arc::new(Policy { retry: Retry::None, ..own_policy }),
            faults: stored.faults,
            check: Arc::new(self.check(stored.planned.step, &known)),
            source: records.iter().find_map(|record| source_of(record, stored.id)),
            seeds,
        };
        Some(RestoredDelivery {
            certainty: stored.certainty.to_owned(),
            reference: own.and_then(|endpoint| endpoint.reference.clone()),
            delivery,
            event: stored.event.cloned().map(Arc::new),
        })
    }

    /// The first record of the redelivery. An empty digest marks it as one.
    fn started(&self, id: &str, step: Option<usize>, url: &Url) -> RunStarted {
        let scenario = &self.started.scenario;
        let mut wants = self.started.wants.clone();
        wants.retain(|number, _| Some(*number) == step);
        RunStarted {
            scenario: format!("{scenario} (redelivery of {id} of run {})", self.run),
            conversations: 1,
            urls: vec![url.to_string()],
            digest: String::new(),
            occurrence: 1,
            signature: None,
            wants,
            resumes: None,
            chaos: None,
            ..self.started.clone()
        }
    }

    /// What the delivery has to meet: the requirements of its run and of its step.
    fn check(&self, step: Option<usize>, known: &KnownSecrets) -> DeliveryCheck {
        let verify = self.started.verify.as_ref();
        let verify = verify.and_then(|verify| StatusSet::parse(verify.split(", ")).ok());
        let success = self.account.platform.policy.success.clone();
        let want = step.and_then(|step| {
            let mut declared = self.started.wants.get(&step)?.clone();
            known.fill_json(&mut declared);
            let Want { status, mut response, .. } = Want::restore(&declared)?;
            // The user decides about another attempt, so that their number says nothing.
            response.attempts = None;
            Some(StepWant { step, status, response })
        });
        DeliveryCheck { verify, success, within: self.started.within, want }
    }

    /// Every secret that the delivery may contain, with its reference in records.
    fn secrets(&self, faults: &Faults) -> Vec<(String, Secret)> {
        let own = self.account.secret_references();
        let whole = own.map(|(reference, secret)| (reference, secret.clone()));
        let altered = faults
            .of(FaultGroup::Token)
            .map(|_| FaultInjector::of(&self.account).derived_secrets());
        let endpoints = self.to.iter().chain(&self.endpoints);
        let endpoints = endpoints.flat_map(EndpointPlan::secret_references);
        whole.chain(altered.into_iter().flatten()).chain(endpoints).collect()
    }

    /// The vendor's headers computed again, and the others unchanged.
    fn signed(
        &self,
        request: &RequestFacts<'_>,
        faults: &Faults,
        sent: &[(String, String)],
    ) -> Vec<(String, String)> {
        let mut headers = FaultInjector::of(&self.account).headers(request, faults);
        let is_own = |name: &str| headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let others: Vec<_> = sent.iter().filter(|(name, _)| !is_own(name)).cloned().collect();
        headers.extend(others);
        headers
    }
}

/// A delivery as the records of its run describe it.
struct StoredDelivery<'a> {
    id: &'a str,
    endpoint: u32,
    planned: &'a Record,
    event_type: &'a str,
    certainty: &'a str,
    faults: Faults,
    body: &'a str,
    event: Option<&'a EventFacts>,
    /// The last attempt that was sent, and its run time.
    attempt: u32,
    sent_at: Timestamp,
    url: &'a str,
    headers: &'a [(String, String)],
}

impl<'a> StoredDelivery<'a> {
    /// The control of a delivery with a fault: the first delivery to its endpoint that the receiver
    /// had to accept. Every run with faults has one.
    fn control(faulty: &Self, records: &'a [Record]) -> Option<Self> {
        if faulty.faults.expect_acceptance(1) {
            return None;
        }
        records.iter().find_map(|planned| match &planned.kind {
            RecordKind::DeliveryPlanned { delivery, endpoint, faults, .. }
                if *endpoint == faulty.endpoint && faults.expect_acceptance(1) =>
            {
                Self::find(delivery, records)
            }
            _ => None,
        })
    }

    fn find(id: &str, records: &'a [Record]) -> Option<Self> {
        let last = records.iter().rev().find_map(|record| match &record.kind {
            RecordKind::AttemptStarted { delivery, attempt, hop: 0, url, headers, .. }
                if delivery == id =>
            {
                Some((*attempt, record.run_time, url, headers))
            }
            _ => None,
        });
        let (attempt, sent_at, url, headers) = last?;
        records.iter().find_map(|planned| match &planned.kind {
            RecordKind::DeliveryPlanned {
                delivery,
                endpoint,
                event_type,
                certainty,
                faults,
                body,
                event,
                ..
            } if delivery == id => {
                // Its faults apply again, except those of order: the time is the user's choice.
                let is_kept = |fault: &&Fault| fault.kind.group() != FaultGroup::Order;
                let faults = Faults(faults.0.iter().filter(is_kept).cloned().collect());
                let event = event.as_deref();
                Some(Self {
                    id: delivery,
                    endpoint: *endpoint,
                    planned,
                    event_type,
                    certainty,
                    faults,
                    body,
                    event,
                    attempt,
                    sent_at,
                    url,
                    headers,
                })
            }
            _ => None,
        })
    }

    /// The request that is sent at this time, as attempt number `later` after the stored one.
    fn request<'b>(&'b self, body: &'b str, later: u32, sent_at: Timestamp) -> RequestFacts<'b> {
        RequestFacts::of_event(body, self.attempt + later, sent_at, self.event)
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

/// Sends a delivery once more, and returns the final record. Records go to the log, which is closed
/// behind the last of them.
pub async fn redeliver<T: Transport>(
    request: RedeliveryRequest,
    transport: Arc<T>,
    log: RecordLog,
) -> RunFinished {
    log.redact(request.redactor.clone());
    let observer =
        Observer::new(Arc::clone(&request.account), Arc::default(), request.restored.delivery.at);
    let sending = send(request, transport, log.clone());
    // A redelivery has no limits.
    let limits = LimitCounter::default();
    let finished = pump(log.clone(), sending, observer, limits, watch::channel(false).0).await;
    log.close();
    finished
}

async fn send<T: Transport>(
    request: RedeliveryRequest,
    transport: Arc<T>,
    log: RecordLog,
) -> RunEnd {
    let RedeliveryRequest { started, control, restored, beginning, .. } = request;
    let (conversation, at) = (restored.delivery.conversation, restored.delivery.at);
    let scope = RecordScope { at, conversation: None, step: None };
    log.append(scope, RecordKind::RunStarted(started)).await;
    if let Some(beginning) = beginning {
        beginning.record(scope, &log).await;
    }
    let all: Vec<(bool, RestoredDelivery)> =
        control.into_iter().map(|control| (true, control)).chain([(false, restored)]).collect();
    for (is_control, restored) in &all {
        let delivery = &restored.delivery;
        let (conversation, step) = (Some(conversation.number), delivery.step);
        log.append(RecordScope { at, conversation, step }, restored.planned(*is_control)).await;
    }
    let handle = drive(NoHost, transport, AttemptSlots::default());
    handle.join(DrivenRun {
        number: conversation.run,
        log,
        clock: ClockMode::Virtual,
        start: at,
        shared: false,
        prior: Arc::new(PriorAttempts::default()),
    });
    all.into_iter().for_each(|(_, restored)| handle.submit(restored.delivery));
    handle.drain(conversation).await;
    RunEnd::Played
}
