//! Records: the facts of a run, in the order in which they happened.
//!
//! Records are the only output of a run. Reports, verdicts, `--json` and the journal are all based
//! on them. Their JSON form is public.

mod call;
mod call_content;
mod coverage;
mod event_facts;
mod expectation;
mod failure_group;
mod json;
mod log;
mod method;
mod prior;
mod redaction;
mod result;
mod served;
mod source_line;
mod verdict;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use call::{CallAuth, CallRecord, CallSecrets, SentContent, SettledCall};
pub use call_content::RecordedResponse;
pub use event_facts::EventFacts;
pub use expectation::{ExpectationRequest, ExpectationResult, Mismatch, SettledExpectation};
pub use log::{Forgotten, LogReader, PendingWrite, RecordLog, RecordScope};
pub use method::Method;
pub use prior::{PriorAttempts, PriorHandshake, PriorResults, RecordPlace};
pub use result::{AttemptOutcome, AttemptResult, ResponseBody, Timings};
pub use served::{ActionsRequested, EndpointSubscription, RunServed, RunSteered, SteerCommand};
pub use source_line::SourceLine;
pub use verdict::VerdictBuilder;

use crate::fault::{Chaos, Fault, Faults};

/// One fact of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Number of the record in its run, from 1.
    pub seq: u64,
    /// Run time, which a virtual clock may advance faster than wall time.
    pub run_time: Timestamp,
    /// Wall time.
    pub wall_time: Timestamp,
    /// Number of the run, from 1, in the order of the command line.
    pub run: u32,
    /// Number of the conversation, from 1, if the record belongs to one.
    pub conversation: Option<u32>,
    /// Number of the script's step, from 1, if the record belongs to one.
    pub step: Option<usize>,
    /// The kind of record, with its data.
    pub kind: RecordKind,
}

/// The kind of a record, with its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum RecordKind {
    /// The run started.
    #[serde(rename = "run.started")]
    RunStarted(RunStarted),
    /// How a server plays the run. Only in the runs of a server.
    #[serde(rename = "run.served")]
    RunServed(Box<RunServed>),
    /// Somebody changed the clock of the run, or cancelled it.
    #[serde(rename = "run.steered")]
    RunSteered(RunSteered),
    /// The subscriptions of all endpoints, before the first record that depends on them.
    #[serde(rename = "endpoints.changed")]
    EndpointsChanged {
        /// The endpoints, in their order.
        endpoints: Vec<EndpointSubscription>,
    },
    /// A person or a program acts in a conversation. Only in the runs of a server.
    #[serde(rename = "actions.requested")]
    ActionsRequested(ActionsRequested),
    /// A handshake request is sent, to test the endpoint.
    #[serde(rename = "handshake.sent")]
    HandshakeSent {
        /// Number of the endpoint, from 1.
        endpoint: u32,
        /// Whether the request is sent now or belongs to an interrupted run.
        origin: Origin,
        /// URL of the endpoint.
        url: String,
        /// The request body.
        body: String,
    },
    /// The handshake has a result.
    #[serde(rename = "handshake.finished")]
    HandshakeFinished {
        /// Number of the endpoint, from 1.
        endpoint: u32,
        /// URL of the endpoint.
        url: String,
        /// The result of the request.
        result: AttemptResult,
        /// Why the response does not complete the handshake, if it does not.
        error: Option<String>,
        /// Whether the run sends events to the endpoint.
        continues: bool,
    },
    /// A request that the receiver must reject is sent, to test that it checks signatures.
    #[serde(rename = "probe.sent")]
    ProbeSent {
        /// Number of the endpoint, from 1.
        endpoint: u32,
        /// What is invalid.
        fault: Fault,
        /// Whether the request is sent now or belongs to an interrupted run.
        origin: Origin,
        /// The vendor's name of the event type of the body.
        event_type: String,
        /// URL of the endpoint.
        url: String,
        /// Request headers, in order.
        headers: Vec<(String, String)>,
        /// The request body.
        body: Arc<str>,
    },
    /// A request that the receiver must reject has a result.
    #[serde(rename = "probe.finished")]
    ProbeFinished {
        /// Number of the endpoint, from 1.
        endpoint: u32,
        /// What was invalid.
        fault: Fault,
        /// The result of the request.
        result: AttemptResult,
        /// Whether the receiver rejected the request as invalid.
        passed: bool,
        /// Why it failed.
        why: Option<String>,
    },
    /// A request that the receiver must reject cannot be sent.
    #[serde(rename = "probe.skipped")]
    ProbeSkipped {
        /// Number of the endpoint, from 1.
        endpoint: u32,
        /// What would be invalid.
        fault: Fault,
        /// The reason.
        reason: String,
    },
    /// An action of the script was performed.
    #[serde(rename = "action.done")]
    ActionDone(ActionSummary),
    /// An action that another one implies was performed.
    #[serde(rename = "action.implied")]
    ActionImplied(ActionSummary),
    /// A step was skipped because the vendor does not support it.
    #[serde(rename = "action.skipped")]
    ActionSkipped {
        /// TOML key of the action.
        action: String,
        /// The reason.
        reason: String,
    },
    /// An action could not be rendered as payloads. No run passes with one.
    #[serde(rename = "action.dropped")]
    ActionDropped {
        /// TOML key of the action.
        action: String,
        /// The reason.
        reason: String,
        /// Source line of the step, if it comes from a file.
        source: Option<SourceLine>,
    },
    /// An action was performed for which the vendor sends no webhook.
    #[serde(rename = "action.silent")]
    ActionSilent {
        /// The vendor-neutral event.
        event: String,
        /// The reason.
        reason: String,
    },
    /// A payload will be sent to the endpoint.
    #[serde(rename = "delivery.planned")]
    DeliveryPlanned {
        /// Delivery id. All attempts share it.
        delivery: String,
        /// Number of the endpoint, from 1.
        endpoint: u32,
        /// The vendor's name of the event type.
        event_type: String,
        /// Evidence for the payload's format: `documented`, `observed`, `inferred` or `assumed`.
        certainty: String,
        /// The injected faults.
        faults: Faults,
        /// Whether it is a control: sent without the fault of the delivery after it, to show that the
        /// receiver accepts it.
        control: bool,
        /// The request body.
        body: Arc<str>,
        /// The event, if the vendor's headers or signatures depend on it.
        event: Option<Arc<EventFacts>>,
    },
    /// A delivery is stored until a failed one has been delivered.
    #[serde(rename = "delivery.parked")]
    DeliveryParked {
        /// Delivery id.
        delivery: String,
    },
    /// A gate changed its state.
    #[serde(rename = "gate.changed")]
    GateChanged {
        /// The gate: `account`, or `endpoint` with its number.
        gate: String,
        /// The new state.
        state: GateState,
    },
    /// A delivery was accepted, or will not be retried.
    #[serde(rename = "delivery.settled")]
    DeliverySettled(SettledDelivery),
    /// The receiver called the vendor's API.
    #[serde(rename = "call.received")]
    CallReceived(CallRecord),
    /// A call got its response, which had waited for the conversation.
    #[serde(rename = "call.responded")]
    CallResponded(SettledCall),
    /// The script reacts to a call (`[[on]]`).
    #[serde(rename = "reaction.started")]
    ReactionStarted {
        /// Number of the call.
        call: u64,
        /// Source line of the reaction, if it comes from a file.
        source: Option<SourceLine>,
    },
    /// A call has subscribed a URL to events.
    #[serde(rename = "endpoint.subscribed")]
    EndpointSubscribed {
        /// Number of the endpoint, from 1.
        endpoint: u32,
        /// URL of the endpoint.
        url: String,
    },
    /// A call has ended the subscription of an endpoint.
    #[serde(rename = "endpoint.unsubscribed")]
    EndpointUnsubscribed {
        /// Number of the endpoint, from 1.
        endpoint: u32,
        /// URL of the endpoint.
        url: String,
    },
    /// The receiver rejects every request with 401 or 403. Recorded once a run.
    #[serde(rename = "auth.hint")]
    AuthHint(AuthHint),
    /// A request is sent.
    #[serde(rename = "attempt.started")]
    AttemptStarted {
        /// Delivery id.
        delivery: String,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// Number of redirects that the attempt followed before this request.
        hop: u32,
        /// The injected faults of this attempt.
        faults: Faults,
        /// Whether it is sent now or belongs to an interrupted run.
        origin: Origin,
        /// HTTP method.
        method: Method,
        /// Request URL.
        url: String,
        /// Request headers, in order.
        headers: Vec<(String, String)>,
    },
    /// A request has a result.
    #[serde(rename = "attempt.finished")]
    AttemptFinished {
        /// Delivery id.
        delivery: String,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// Number of redirects that the attempt followed before this request.
        hop: u32,
        /// The result of the request.
        result: AttemptResult,
        /// Delay until the next attempt, in milliseconds. `None` after the last attempt, or if a gate
        /// decides.
        retry_in_ms: Option<i64>,
    },
    /// The script requests something of the receiver's own API.
    #[serde(rename = "expectation.started")]
    ExpectationStarted {
        /// Whether it is requested now or belongs to an interrupted run.
        origin: Origin,
        /// The request.
        request: ExpectationRequest,
    },
    /// An expectation was met, or was not met in its time.
    #[serde(rename = "expectation.finished")]
    ExpectationFinished(SettledExpectation),
    /// The run finished.
    #[serde(rename = "run.finished")]
    RunFinished(RunFinished),
}

impl RecordKind {
    /// Returns the id of the delivery that the record belongs to.
    pub fn delivery(&self) -> Option<&str> {
        match self {
            Self::DeliveryPlanned { delivery, .. }
            | Self::DeliveryParked { delivery }
            | Self::AttemptStarted { delivery, .. }
            | Self::AttemptFinished { delivery, .. } => Some(delivery),
            Self::DeliverySettled(settled) => Some(&settled.delivery),
            _ => None,
        }
    }
}

impl Record {
    /// Returns the approximate size in memory, in bytes. Only texts that can be large count.
    pub fn size(&self) -> usize {
        let texts = match &self.kind {
            RecordKind::HandshakeSent { body, .. } => body.len(),
            RecordKind::RunServed(served) => served.source.len(),
            RecordKind::ActionDone(action) | RecordKind::ActionImplied(action) => {
                action.text.as_ref().map_or(0, |text| text.len())
            }
            RecordKind::DeliveryPlanned { body, .. } => body.len(),
            RecordKind::AttemptStarted { url, headers, .. } => {
                let headers = headers.iter().map(|(name, value)| name.len() + value.len());
                url.len() + headers.sum::<usize>()
            }
            RecordKind::CallReceived(call) => call.size(),
            RecordKind::CallResponded(settled) => settled.response.size(),
            RecordKind::HandshakeFinished { result, .. }
            | RecordKind::AttemptFinished { result, .. } => result.size(),
            RecordKind::ExpectationFinished(settled) => settled.size(),
            RecordKind::ActionsRequested(requested) => requested.size(),
            _ => 0,
        };
        size_of::<Self>() + texts
    }
}

/// The parameters of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Name of the scenario.
    pub scenario: String,
    /// Path of the scenario file.
    pub file: String,
    /// The vendor, with its revision unless it is the documented one.
    pub vendor: String,
    /// How real servers are known to differ from this revision.
    pub differs: Option<String>,
    /// The statuses of the scenario's `[verify]`.
    pub verify: Option<String>,
    /// The maximum response time of the scenario's `[verify]`.
    pub within: Option<SignedDuration>,
    /// How the run tests that the receiver checks signatures; `None` if it plays no whole scenario.
    pub signature: Option<SignatureTest>,
    /// How calls that meet no expectation affect the verdict; `None` if no step waits for calls.
    #[serde(default)]
    pub unexpected: Option<UnexpectedCalls>,
    /// The tables `want` of the steps, by the number of the step.
    pub wants: BTreeMap<usize, Json>,
    /// The seed.
    pub seed: u64,
    /// Run time at which the first conversation starts.
    pub start: Timestamp,
    /// `virtual` or `real`.
    pub clock: String,
    /// Number of conversations.
    pub conversations: u32,
    /// Number of times that the script is played; each play can have several conversations.
    #[serde(default)]
    pub plays: u32,
    /// URLs of the endpoints, in their order.
    pub urls: Vec<String>,
    /// Hash of what the first conversation sends, and of the settings by which the run is judged. A run
    /// can only resume one of the same digest.
    /// Empty for a redelivery.
    pub digest: String,
    /// Number among the equal runs of its command, from 1.
    pub occurrence: u32,
    /// Journal number of the interrupted run that this one resumes.
    pub resumes: Option<i64>,
    /// The faults that chaos mode generated.
    pub chaos: Option<Chaos>,
}

impl RunStarted {
    /// Returns whether the run is a redelivery: it sends one delivery of another run again.
    pub fn is_redelivery(&self) -> bool {
        self.digest.is_empty()
    }
}

/// A performed action, for reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionSummary {
    /// TOML key of the action.
    pub action: String,
    /// The actor.
    pub by: String,
    /// Role of the actor.
    pub role: String,
    /// The vendor-neutral event.
    pub event: String,
    /// Short description of the action.
    pub summary: String,
    /// The whole text of a message or note.
    pub text: Option<Arc<str>>,
    /// Kind of a message, such as `text`.
    pub message_kind: Option<String>,
    /// The vendor's names of the event types that are not sent, because no endpoint subscribes to them.
    pub unsubscribed: Vec<String>,
}

/// The outcome of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettledDelivery {
    /// Delivery id.
    pub delivery: String,
    /// Number of the endpoint, from 1.
    pub endpoint: u32,
    /// The vendor's name of the event type.
    pub event_type: String,
    /// Number of attempts; 0 if nothing was sent.
    pub attempts: u32,
    /// The injected faults.
    pub faults: Faults,
    /// Whether the vendor counts it as delivered.
    pub accepted: bool,
    /// Whether it passed. Decided once, by `DeliveryCheck`; reports only show it.
    pub passed: bool,
    /// Why it failed.
    pub why: Option<String>,
    /// Source line of the step, if it comes from a file.
    pub source: Option<SourceLine>,
    /// The result of the last attempt, without body and headers, which its `attempt.finished` has.
    #[serde(serialize_with = "AttemptResult::serialize_without_content")]
    pub result: AttemptResult,
}

/// Likely causes if a receiver rejects requests with 401 or 403.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthHint {
    /// The vendor's name of the event type that was rejected.
    pub event_type: String,
    /// Response status: 401 or 403.
    pub status: u16,
    /// The headers that verify the request, as sent. Empty if the vendor sends none.
    pub expected: Vec<(String, String)>,
    /// Common mistakes, with the header values that they compute.
    pub mistakes: Vec<Mistake>,
}

/// A common mistake in verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// How the value is computed by mistake. Completes the phrase "computed …".
    pub computed: String,
    /// Header name.
    pub header: String,
    /// The value that the mistake computes.
    pub value: String,
}

crate::string_enum! {
    /// State of a gate.
    pub enum GateState {
        /// Deliveries are stored, and the failed one is retried.
        Failed = "failed",
        /// Stored deliveries are sent in order. Conversations with nothing stored pass.
        InTransition = "in transition",
        /// Deliveries that were appended during the transition drain.
        Recovered = "recovered",
        /// All deliveries pass.
        Up = "up",
    }
}

crate::string_enum! {
    /// Whether a request is sent now or belongs to an interrupted run.
    pub enum Origin {
        /// Sent in this run.
        Sent = "sent",
        /// Sent in the interrupted run; its result is known, so it is not sent again.
        Replayed = "replayed",
        /// May have been sent in the interrupted run; its result is unknown.
        Recovered = "recovered",
    }
}

crate::string_enum! {
    /// How calls that met no expectation affect the verdict.
    pub enum UnexpectedCalls {
        /// The run fails.
        Strict = "strict",
        /// The report names them.
        Warn = "warn",
        /// Nothing.
        Allow = "allow",
    }
}

crate::string_enum! {
    /// How a run tests that the receiver checks signatures.
    pub enum SignatureTest {
        /// With requests that the receiver must reject.
        Probe = "probe",
        /// Not at all: the scenario does not ask for it.
        Untested = "untested",
        /// Not at all: the vendor sends nothing that a receiver could verify.
        NotApplicable = "not_applicable",
    }
}

crate::string_enum! {
    /// Verdict on a run.
    pub enum Verdict {
        /// Every delivery passed.
        Passed = "passed",
        /// At least one check failed.
        Failed = "failed",
        /// Nothing was shown, for example because every step was skipped or a control failed.
        Inconclusive = "inconclusive",
        /// The run was stopped early.
        Interrupted = "interrupted",
    }
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFinished {
    /// The verdict.
    pub verdict: Verdict,
    /// Why the verdict is not `passed`.
    pub reason: Option<String>,
    /// The failed deliveries, grouped by cause, up to a maximum of causes.
    pub failures: Vec<FailureGroup>,
    /// Event types of which every delivery failed, while those of others passed.
    pub rejected_types: Vec<String>,
    /// Number of deliveries.
    pub deliveries: u64,
    /// Number of deliveries that passed.
    pub passed: u64,
    /// Number of expectations of the receiver's own API.
    #[serde(default)]
    pub expectations: u64,
    /// Number of expectations that were met.
    #[serde(default)]
    pub met: u64,
    /// The first expectations that were not met, each with its place and the reason.
    #[serde(default)]
    pub unmet: Vec<String>,
    /// Number of calls that met no expectation, unless the scenario allows them.
    #[serde(default)]
    pub unexpected_calls: u64,
    /// The first of these calls.
    #[serde(default)]
    pub unexpected: Vec<String>,
    /// Number of handshake requests sent.
    pub handshakes: u64,
    /// Number of requests sent to test that the receiver checks signatures.
    pub probes: u64,
    /// Number of requests sent for deliveries.
    pub attempts: u64,
    /// Number of payloads without a subscription.
    pub unsubscribed: u64,
    /// Number of skipped steps.
    pub skipped: u64,
    /// What the run did not test, although a receiver can fail in it.
    pub untested: Vec<String>,
    /// Use of links to sample files, if any were sent.
    pub files: Option<FilesSummary>,
    /// Whether a resource of this machine ran out, so that the run says nothing about the receiver.
    pub local_error: bool,
    /// Duration in milliseconds.
    pub duration_ms: u64,
}

/// Failed deliveries of one event type with the same cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// The vendor's name of the event type.
    pub event_type: String,
    /// The injected faults; empty without faults.
    pub faults: String,
    /// Why they failed.
    pub why: String,
    /// Number of failed deliveries.
    pub failed: u64,
    /// Number of settled deliveries of this event type with these faults.
    pub of: u64,
    /// Id of the first failed delivery.
    pub delivery: String,
    /// Source line of its step, if it comes from a file.
    pub source: Option<SourceLine>,
}

impl fmt::Display for FailureGroup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event_type, faults, why, failed, of, delivery, source } = self;
        let at = source.as_ref().map(|source| format!("{source} ")).unwrap_or_default();
        write!(formatter, "{at}`{event_type}`")?;
        if !faults.is_empty() {
            write!(formatter, " with the fault `{faults}`")?;
        }
        write!(formatter, " (delivery {delivery}")?;
        if *of > 1 {
            write!(formatter, ", {failed} of {of}")?;
        }
        write!(formatter, "): {why}")
    }
}

/// Use of links to sample files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilesSummary {
    /// Number of links sent.
    pub links: usize,
    /// Number of files that were fetched during the run.
    pub fetched: usize,
    /// Why no file can be fetched, if none can.
    pub unavailable: Option<String>,
}
