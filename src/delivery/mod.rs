//! Delivery: sends payloads to an endpoint in order, with retries.
//!
//! The engine is sans-IO: it turns inputs into commands, without a clock or a socket. The driver
//! runs it on tokio over a [`Transport`]. Neither depends on a vendor or a report: a delivery
//! carries its payload, request signer, policy and endpoint.

mod attempt;
mod causes;
mod check;
mod concurrency;
mod connection;
mod connection_options;
mod connector;
mod driven_run;
mod driver;
mod engine;
mod expectation;
mod failure;
mod gate;
mod host;
mod http1;
mod pending;
mod pool;
mod readiness;
mod redirect;
mod request_bytes;
mod request_writer;
mod response;
mod run_clock;
mod slots;
mod throttle;
mod tls;
mod transport;
mod tunnel;

pub use attempt::NOT_COMMITTED;
pub use check::{DeliveryCheck, StepWant};
pub use connection_options::{ConnectionOptions, InvalidTlsSetting, TlsSettings};
pub use connector::{Connector, Resolver};
pub use driven_run::DrivenRun;
pub use driver::{DriverHandle, drive};
pub use engine::{Engine, EngineCommand, EngineInput, EngineTimer, SentAttempt};
pub use expectation::{AwaitedExpectation, AwaitedResponse, ExpectationWait, ResponseJudge};
pub use failure::AttemptFailure;
pub use host::{Host, HostCommand, NoHost, RunTimes};
pub use http1::Http1Client;
pub use pending::{DeliveryKey, RedirectTarget};
pub use run_clock::{ClockMode, SPEEDS};
pub use slots::AttemptSlots;
pub use transport::{ApiRequest, Request, Transport, WireFault};

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use url::{Position, Url};

use crate::base::seed::SeedScope;
use crate::fault::Faults;
use crate::policy::Policy;
use crate::record::SourceLine;

/// Returns the headers of a request, with its signature, for a body, an attempt (from 1) and the
/// run time of sending.
pub type RequestSigner = Arc<dyn Fn(&str, u32, Timestamp) -> Vec<(String, String)> + Send + Sync>;

/// A receiver's address, and how requests to it are signed.
#[derive(Clone)]
pub struct Endpoint {
    /// Number among the account's endpoints.
    pub number: u32,
    /// URL of the receiver.
    pub url: Url,
    /// Host and port. All attempts to one host share its concurrency limit.
    pub host: Arc<str>,
    /// Adds the headers and the signature of each request.
    pub signer: RequestSigner,
    /// How connections to it are made.
    pub options: Arc<ConnectionOptions>,
}

impl Endpoint {
    /// Creates an endpoint with default options.
    pub fn new(number: u32, url: Url, signer: RequestSigner) -> Self {
        let host = &url[Position::BeforeHost..Position::AfterPort];
        Self { number, host: host.into(), url, signer, options: Arc::default() }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// Identifies a conversation of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationKey {
    /// Number of the run, from 1.
    pub run: u32,
    /// Number of the conversation in the run, from 1.
    pub number: u32,
}

impl ConversationKey {
    /// The first of all keys.
    pub const MIN: Self = Self { run: u32::MIN, number: u32::MIN };

    /// The last of all keys.
    pub const MAX: Self = Self { run: u32::MAX, number: u32::MAX };
}

/// One payload for one endpoint.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Delivery id. All attempts share it.
    pub id: String,
    /// The conversation whose delivery order applies.
    pub conversation: ConversationKey,
    /// Number of the script's step, from 1; `None` if it belongs to no script.
    pub step: Option<usize>,
    /// The vendor's name of the event type.
    pub event_type: String,
    /// The body. Exactly these bytes are signed and sent.
    pub body: Arc<str>,
    /// The run time of the event. Retention counts from here.
    pub at: Timestamp,
    /// The receiver.
    pub endpoint: Arc<Endpoint>,
    /// When it is retried, and what its failure blocks.
    pub policy: Arc<Policy>,
    /// Injected faults.
    pub faults: Faults,
    /// Decides whether it passed.
    pub check: Arc<DeliveryCheck>,
    /// Source line of the step, if it comes from a file.
    pub source: Option<SourceLine>,
    /// The seed scope of the jitter of its retries.
    pub seeds: SeedScope,
}
