//! Records: everything that happened in a run, as it happened.
//!
//! They are the only thing that leaves the engine: reports are made of them, verdicts follow from
//! them, `--json` prints them. The JSON form is public; `v` changes when it does.

mod log;
mod prior;
mod redaction;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

pub use log::{Forgotten, PendingWrite, RecordLog, RecordScope, Subscription};
pub use prior::{PriorAttempts, PriorHandshake};

use crate::fault::{Chaos, Faults};

/// The version of the JSON form.
const VERSION: u32 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place among all records, from 1.
    pub seq: u64,
    /// The run's time.
    pub run_time: Timestamp,
    /// The wall clock's time.
    pub wall_time: Timestamp,
    /// The run: `1`, `2`, … in the order of the command line.
    pub run: u32,
    /// The conversation's number, where it is about one.
    pub conversation: Option<u32>,
    /// The number of the script's step, where it is about one.
    pub step: Option<usize>,
    /// What happened.
    pub kind: RecordKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RecordKind {
    /// A run began.
    #[serde(rename = "run.started")]
    RunStarted(RunStarted),
    /// An endpoint was asked whether it agrees.
    #[serde(rename = "handshake.sent")]
    HandshakeSent {
        /// Where the attempt comes from.
        origin: Origin,
        /// Its address.
        url: String,
        /// The request's body.
        body: String,
    },
    /// The endpoint answered, or did not.
    #[serde(rename = "handshake.finished")]
    HandshakeFinished {
        /// Its address.
        url: String,
        /// What the attempt met.
        result: AttemptResult,
        /// What is wrong with the answer, where something is.
        error: Option<String>,
        /// Whether it is sent to all the same.
        continues: bool,
    },
    /// Somebody did what the script says.
    #[serde(rename = "action.done")]
    ActionDone(ActionSummary),
    /// Somebody did what follows by itself.
    #[serde(rename = "action.implied")]
    ActionImplied(ActionSummary),
    /// A step was left out.
    #[serde(rename = "action.skipped")]
    ActionSkipped {
        /// The act's key.
        action: String,
        /// Why.
        reason: String,
    },
    /// An act could not become payloads; no run passes with one.
    #[serde(rename = "action.dropped")]
    ActionDropped {
        /// The act's key.
        action: String,
        /// Why.
        reason: String,
        /// The line of its step, where the step stands in a file.
        source: Option<SourceLine>,
    },
    /// An act happened that the vendor sends nothing for.
    #[serde(rename = "action.silent")]
    ActionSilent {
        /// The neutral event.
        event: String,
        /// Why.
        reason: String,
    },
    /// A payload is to be sent to an endpoint.
    #[serde(rename = "delivery.planned")]
    DeliveryPlanned {
        /// Its id, which survives retries.
        delivery: String,
        /// The vendor's name for the event.
        event_type: String,
        /// How well its shape is known: `documented`, `observed`, `inferred`, `assumed`.
        certainty: String,
        /// What is wrong with it on purpose.
        faults: Faults,
        /// The body.
        body: Arc<str>,
    },
    /// A payload is not sent, since the endpoint did not subscribe to its type.
    #[serde(rename = "delivery.unsubscribed")]
    DeliveryUnsubscribed {
        /// The vendor's name for the event.
        event_type: String,
    },
    /// A delivery is stored until what failed has been delivered.
    #[serde(rename = "delivery.parked")]
    DeliveryParked {
        /// The delivery.
        delivery: String,
    },
    /// What a failure held up is held up otherwise from now on.
    #[serde(rename = "gate.changed")]
    GateChanged {
        /// What is held up: `account`, or `endpoint` with its number.
        gate: String,
        /// How.
        state: GateState,
    },
    /// A delivery has ended, well or not.
    #[serde(rename = "delivery.settled")]
    DeliverySettled(SettledDelivery),
    /// The receiver lets in nothing of ours; what may be wrong with it, said once a run.
    #[serde(rename = "auth.hint")]
    AuthHint(AuthHint),
    /// A request goes out.
    #[serde(rename = "attempt.started")]
    AttemptStarted {
        /// The delivery.
        delivery: String,
        /// Its attempt, from 1.
        attempt: u32,
        /// How many redirects of the attempt came before this request.
        hop: u32,
        /// What is wrong with it on purpose.
        faults: Faults,
        /// Where it comes from.
        origin: Origin,
        /// The request's method.
        method: Method,
        /// Where to.
        url: String,
        /// The headers, in order.
        headers: Vec<(String, String)>,
    },
    /// A request met something.
    #[serde(rename = "attempt.finished")]
    AttemptFinished {
        /// The delivery.
        delivery: String,
        /// Its attempt, from 1.
        attempt: u32,
        /// How many redirects of the attempt came before this request.
        hop: u32,
        /// What it met.
        result: AttemptResult,
        /// When it is tried again, in milliseconds, where it is.
        retry_in_ms: Option<i64>,
    },
    /// A run ended.
    #[serde(rename = "run.finished")]
    RunFinished(RunFinished),
}

/// What a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// What the scenario is called.
    pub scenario: String,
    /// Its file.
    pub file: String,
    /// The vendor, with its revision where that is not the documentation's.
    pub vendor: String,
    /// Where real servers are known to differ.
    pub differs: Option<String>,
    /// The statuses that the scenario's `[verify]` names.
    pub verify: Option<String>,
    /// The seed.
    pub seed: u64,
    /// When the first conversation begins.
    pub start: Timestamp,
    /// The clock: `virtual` or `real`.
    pub clock: String,
    /// How many conversations.
    pub conversations: u32,
    /// Where the payloads go.
    pub url: String,
    /// What the first conversation sends, as a hash: another one is another run. Empty where one
    /// delivery is sent again.
    pub digest: String,
    /// The run of the journal that this one goes on from, which was interrupted.
    pub resumes: Option<i64>,
    /// The faults that were drawn for it.
    pub chaos: Option<Chaos>,
}

impl RunStarted {
    /// Whether it sends one delivery of another run again.
    pub fn is_redelivery(&self) -> bool {
        self.digest.is_empty()
    }
}

/// An act as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionSummary {
    /// The act's key.
    pub action: String,
    /// Who did it.
    pub by: String,
    /// The neutral event.
    pub event: String,
    /// The act in a few words.
    pub summary: String,
}

/// A line of a scenario file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLine {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for SourceLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettledDelivery {
    /// The delivery.
    pub delivery: String,
    /// The vendor's name for the event.
    pub event_type: String,
    /// How many attempts it took.
    pub attempts: u32,
    /// What was wrong with it on purpose.
    pub faults: Faults,
    /// Whether the vendor is content.
    pub accepted: bool,
    /// Whether it passed: the one judgement, which reports only show.
    pub passed: bool,
    /// Why it did not pass.
    pub why: Option<String>,
    /// The line of its step, where the step stands in a file.
    pub source: Option<SourceLine>,
    /// What the last attempt met.
    pub result: AttemptResult,
}

/// What may be wrong with a receiver that answers 401 or 403.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthHint {
    /// The vendor's name for the event that was refused.
    pub event_type: String,
    /// The answer's status.
    pub status: u16,
    /// The headers by which it can be verified, as they were sent; none where nothing can be.
    pub expected: Vec<(String, String)>,
    /// What usual mistakes would make of them.
    pub mistakes: Vec<Mistake>,
}

/// A usual mistake of somebody who verifies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// How the value is made then: behind "made".
    pub computed: String,
    /// The header.
    pub header: String,
    /// Its value then.
    pub value: String,
}

crate::string_enum! {
    /// What an attempt met.
    pub enum AttemptOutcome {
        /// An answer.
        Responded = "response",
        /// Nothing listens there.
        Refused = "refused",
        /// The connection was closed or reset before an answer.
        Reset = "reset",
        /// There is no way there.
        Unreachable = "unreachable",
        /// The host's name has no address.
        Dns = "dns",
        /// No connection in time.
        TimeoutConnect = "timeout_connect",
        /// No answer in time.
        TimeoutHead = "timeout_head",
        /// The answer did not end in time.
        TimeoutBody = "timeout_body",
        /// TLS could not be agreed on, or the certificate is not good.
        Tls = "tls",
        /// What came is no HTTP answer.
        Protocol = "protocol",
        /// The answer's head is too large.
        HeadTooLarge = "head_too_large",
        /// The answer ended before it was complete.
        BodyIncomplete = "body_incomplete",
        /// The host's addresses may not be sent to; nothing was sent.
        EgressBlocked = "egress_blocked",
        /// Nobody knows: the process ended before it was written down.
        InDoubt = "in_doubt",
        /// The request could not be made.
        Unsendable = "unsendable",
        /// It was not sent: it had waited longer than the vendor keeps what it could not deliver.
        Expired = "expired",
        /// It was not sent: the vendor has switched the endpoint off.
        Disabled = "disabled",
        /// It was not sent, on purpose.
        Dropped = "dropped",
    }
}

crate::string_enum! {
    /// How what a failure holds up is held up.
    pub enum GateState {
        /// Everything is stored but what failed, which is tried again.
        Failed = "failed",
        /// What was stored goes out in order; conversations without anything stored pass.
        InTransition = "in transition",
        /// What was appended meanwhile drains.
        Recovered = "recovered",
        /// Everything passes.
        Up = "up",
    }
}

crate::string_enum! {
    /// Where an attempt comes from.
    pub enum Origin {
        /// It goes out.
        Sent = "sent",
        /// It went out before the run was interrupted, and what it met is known.
        Replayed = "replayed",
        /// It may have gone out before the run was interrupted, and what it met is in doubt.
        Recovered = "recovered",
    }
}

crate::string_enum! {
    /// The method of a request.
    pub enum Method {
        /// With a body.
        Post = "POST",
        /// Without one.
        Get = "GET",
    }
}

/// What an attempt met, in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// What.
    pub outcome: AttemptOutcome,
    /// The answer's status.
    pub status: Option<u16>,
    /// The beginning of the answer's body.
    pub body: String,
    /// Whether the answer was longer than what is kept of it.
    pub truncated: bool,
    /// The answer's headers.
    pub headers: Vec<(String, String)>,
    /// Where a redirect points.
    pub location: Option<String>,
    /// What there is to say about a failure.
    pub reason: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl AttemptResult {
    /// An attempt that met this and no answer.
    pub fn failure(outcome: AttemptOutcome, reason: impl Into<String>, millis: u64) -> Self {
        Self {
            outcome,
            status: None,
            body: String::new(),
            truncated: false,
            headers: Vec::new(),
            location: None,
            reason: Some(reason.into()),
            duration_ms: millis,
        }
    }

    /// The value of the answer's first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// The status that counts: that of a complete answer.
    pub fn final_status(&self) -> Option<u16> {
        self.status.filter(|_| self.outcome == AttemptOutcome::Responded)
    }
}

crate::string_enum! {
    /// What is said of a run in the end.
    pub enum Verdict {
        /// Everything was right.
        Passed = "passed",
        /// Something was wrong.
        Failed = "failed",
        /// Nothing was shown, right or wrong.
        Inconclusive = "inconclusive",
        /// It was ended before its end.
        Interrupted = "interrupted",
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFinished {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is not `passed`.
    pub reason: Option<String>,
    /// What else was wrong, delivery by delivery, as far as it is told.
    pub more_failures: Vec<String>,
    /// How many deliveries there were.
    pub deliveries: u64,
    /// How many of them were right.
    pub passed: u64,
    /// How many handshakes went out.
    pub handshakes: u64,
    /// How many requests went out for deliveries.
    pub attempts: u64,
    /// How many payloads nobody subscribed to.
    pub unsubscribed: u64,
    /// How many steps were left out.
    pub skipped: u64,
    /// What became of links to built-in files, where any were sent.
    pub files: Option<FilesSummary>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// What became of links to built-in files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilesSummary {
    /// How many there were.
    pub links: usize,
    /// How many of the files were fetched during the run.
    pub fetched: usize,
    /// Why none can be, where none can.
    pub unavailable: Option<String>,
}

/// A record as it is written.
#[derive(Deserialize)]
struct Written {
    seq: u64,
    kind: String,
    run_time: Timestamp,
    wall_time: Timestamp,
    run: u32,
    conversation: Option<u32>,
    step: Option<usize>,
    data: Json,
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(from)?;
        let what = Json::Object([(written.kind, written.data)].into_iter().collect());
        Ok(Self {
            seq: written.seq,
            run_time: written.run_time,
            wall_time: written.wall_time,
            run: written.run,
            conversation: written.conversation,
            step: written.step,
            kind: serde_json::from_value(what).map_err(D::Error::custom)?,
        })
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let told = serde_json::to_value(&self.kind).map_err(S::Error::custom)?;
        let told = told.as_object().and_then(|told| told.iter().next());
        let (kind, data) = told.ok_or_else(|| S::Error::custom("a record without a kind"))?;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("v", &VERSION)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("kind", kind)?;
        map.serialize_entry("run_time", &self.run_time.to_string())?;
        map.serialize_entry("wall_time", &self.wall_time.to_string())?;
        map.serialize_entry("run", &self.run)?;
        if let Some(conversation) = self.conversation {
            map.serialize_entry("conversation", &conversation)?;
        }
        if let Some(step) = self.step {
            map.serialize_entry("step", &step)?;
        }
        map.serialize_entry("data", data as &Json)?;
        map.end()
    }
}
