//! Delivery: payloads in order to an endpoint, each attempt one request on the wire.
//!
//! The engine is sans-IO: it takes inputs and gives commands, without a clock or a socket. The
//! driver runs it on tokio over a [`Transport`]. Neither knows a vendor or a report: they see a
//! payload, something that dresses requests, a policy, an endpoint.

mod check;
mod concurrency;
mod connector;
mod driver;
mod engine;
mod failure;
mod gate;
mod http1;
mod network;
mod redirect;
mod reqwest_transport;
mod response;
mod throttle;
mod transport;
mod virtual_clock;

pub use check::StatusCheck;
pub use connector::{Connector, Resolver};
pub use driver::{DriverConfig, DriverHandle, NOT_COMMITTED, drive};
pub use engine::{
    DeliveryKey, Engine, EngineCommand, EngineInput, EngineTimer, RedirectTarget, SentAttempt,
};
pub use failure::AttemptFailure;
pub use network::NetworkTransport;
pub use transport::{Request, Transport, WireFault};
pub use virtual_clock::ClockMode;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use url::{Position, Url};

use crate::fault::Faults;
use crate::policy::Policy;
use crate::record::SourceLine;

/// The headers of a request with this body, for the attempt of this number.
pub type RequestSigner = Arc<dyn Fn(&str, u32) -> Vec<(String, String)> + Send + Sync>;

/// A receiver, as delivery sees it.
#[derive(Clone)]
pub struct Endpoint {
    /// Its place among the account's endpoints.
    pub number: u32,
    /// Its address.
    pub url: Url,
    /// Its host and port: attempts to one host share slots.
    pub host: Arc<str>,
    /// What dresses requests to it.
    pub signer: RequestSigner,
}

impl Endpoint {
    /// The endpoint of this number at this address.
    pub fn new(number: u32, url: Url, dress: RequestSigner) -> Self {
        let host = &url[Position::BeforeHost..Position::AfterPort];
        Self { number, host: host.into(), url, signer: dress }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// The number of a conversation: its deliveries to an endpoint wait for one another.
pub type ConversationNumber = u32;

/// One payload for one endpoint.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id, which survives retries.
    pub id: String,
    /// The conversation, in whose order it stands.
    pub conversation: ConversationNumber,
    /// The number of the script's step.
    pub step: usize,
    /// The vendor's name for the event.
    pub event_type: String,
    /// The body. What is signed is what is sent.
    pub body: Arc<str>,
    /// When it is due, in run time.
    pub at: Timestamp,
    /// Where to.
    pub endpoint: Arc<Endpoint>,
    /// How it is treated.
    pub policy: Arc<Policy>,
    /// Its injected faults.
    pub faults: Faults,
    /// Decides whether it passed.
    pub check: Arc<StatusCheck>,
    /// The line of its step, where the step stands in a file.
    pub source: Option<SourceLine>,
}
