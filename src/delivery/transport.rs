//! The interface between the engine's driver and the network.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::connection_options::ConnectionOptions;
use crate::fault::{FaultAmount, FaultGroup, FaultKind, Faults};
use crate::record::{AttemptOutcome, AttemptResult, Method};

/// A request to send.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The receiver.
    pub url: Url,
    /// The vendor's headers, in order, with names as the vendor writes them. `Host` and the framing
    /// of the body are added by the transport.
    pub headers: Vec<(String, String)>,
    /// The body; empty with `GET`.
    pub body: Arc<str>,
    /// Timeout for establishing the connection, TLS included.
    pub connect: Duration,
    /// Timeout for the whole attempt.
    pub total: Duration,
    /// Requested fault in how the request is written.
    pub fault: Option<WireFault>,
    /// How connections to the receiver are made.
    pub options: Arc<ConnectionOptions>,
}

/// A request to the receiver's own API.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The JSON body, if there is one.
    pub json: Option<String>,
    /// How connections to the API are made.
    pub options: Arc<ConnectionOptions>,
}

/// A requested fault in how a request is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireFault {
    /// Half of the body, then the end of the sending direction.
    BodyCut,
    /// A content length of one more than the body has.
    LengthLonger,
    /// A content length of one less than the body has.
    LengthShorter,
    /// A body in small pieces with pauses, over half of the timeout at most.
    SlowBody,
    /// Half of the body, then a reset.
    ResetInBody,
    /// A body in chunks, without a content length.
    Chunked,
    /// A second header of this name, with the same value.
    HeaderTwice(String),
}

impl WireFault {
    /// The fault among these that changes how a request is written, if any.
    pub(super) fn of(faults: &Faults) -> Option<Self> {
        let fault = faults.of(FaultGroup::Wire)?;
        Some(match fault.kind {
            FaultKind::BodyCut => Self::BodyCut,
            FaultKind::Length if fault.amount == FaultAmount::Longer => Self::LengthLonger,
            FaultKind::Length => Self::LengthShorter,
            FaultKind::SlowBody => Self::SlowBody,
            FaultKind::Reset => Self::ResetInBody,
            FaultKind::Chunked => Self::Chunked,
            _ => return None,
        })
    }
}

/// Sends requests. One call is one request: no redirect is followed, and a request is repeated only
/// when a kept connection turns out to be closed, which the result says. A failed attempt is a
/// result, not an error.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and returns the result.
    fn send(&self, request: Request) -> impl Future<Output = AttemptResult> + Send;

    /// Sends a request to the receiver's own API, and returns the result after this time at most.
    fn call_api(
        &self,
        request: ApiRequest,
        limit: Duration,
    ) -> impl Future<Output = AttemptResult> + Send {
        let _ = (request, limit);
        async { AttemptResult::failure(AttemptOutcome::Unsendable, "it has no HTTP client", 0) }
    }
}
