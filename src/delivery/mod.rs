//! Delivery: payloads in order to an endpoint, each attempt one request on the wire.
//!
//! The engine is sans-IO: it takes inputs and gives commands, without a clock or a socket. The
//! driver runs it on tokio over a [`Transport`]. Neither knows a vendor or a report: they see a
//! payload, something that dresses requests, a policy, an endpoint.

mod answer;
mod dial;
mod driver;
mod engine;
mod failure;
mod http;
mod net;
mod transport;
mod wire;

pub use dial::{Dial, Look};
pub use driver::{Handle, Pace, drive};
pub use engine::{Command, Engine, Input};
pub use failure::Failure;
pub use net::Net;
pub use transport::{Request, Transport, WireFault};

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use url::Url;

use crate::policy::Policy;

/// The headers of a request with this body, for the attempt of this number.
pub type Dress = Arc<dyn Fn(&str, u32) -> Vec<(String, String)> + Send + Sync>;

/// A receiver, as delivery sees it.
#[derive(Clone)]
pub struct Endpoint {
    /// Its address.
    pub url: Url,
    /// How deliveries to it are treated.
    pub policy: Policy,
    /// What dresses requests to it.
    pub dress: Dress,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// The ordering key: deliveries of one conversation wait for one another.
pub type Lane = u32;

/// One payload for one endpoint.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id, which survives retries.
    pub id: String,
    /// The conversation, in whose order it stands.
    pub lane: Lane,
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
}
