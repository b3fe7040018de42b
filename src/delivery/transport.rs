//! The wire, as the engine's driver sees it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use super::failure::AttemptFailure;
use crate::base::limits::MAX_HEADER;
use crate::fault::{FaultAmount, FaultGroup, FaultKind, Faults};
use crate::record::{AttemptOutcome, AttemptResult, Method};

/// One request, ready to go out.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The headers, in order, with the vendor's own names.
    pub headers: Vec<(String, String)>,
    /// The body; empty with a `GET`.
    pub body: Arc<str>,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long everything may take.
    pub total: Duration,
    /// What is wrong with it on purpose.
    pub fault: Option<WireFault>,
}

/// What can be wrong on purpose with how a request is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireFault {
    /// Half of the body, and then the end.
    BodyCut,
    /// A content length that is one more than the body has.
    LengthLonger,
    /// A content length that is one less than the body has.
    LengthShorter,
    /// A body in small pieces with waits between them.
    SlowBody,
    /// Half of the body, and then a reset.
    ResetInBody,
    /// A body in chunks, without a content length.
    Chunked,
    /// A second header of this name, with the same value.
    HeaderTwice(String),
}

impl WireFault {
    /// What faults do to how a request is written, if anything.
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

impl Request {
    /// The headers, each of which a request can hold.
    pub(super) fn checked_headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, AttemptFailure> {
        let checked = |(name, value): &(String, String)| {
            let wrong = |what| {
                AttemptFailure::new(
                    AttemptOutcome::Unsendable,
                    format!("the header `{name}` {what}"),
                )
            };
            if value.len() > MAX_HEADER {
                return Err(wrong("is longer than 8 KiB"));
            }
            let key = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_str(value);
            Ok((
                key.map_err(|_| wrong("has no valid name"))?,
                value.map_err(|_| wrong("holds characters that no header can hold"))?,
            ))
        };
        self.headers.iter().map(checked).collect()
    }
}

/// Something that sends requests. One call is one request on the wire: no redirect is followed, no
/// request sent again. It never fails; what it meets is what it gives.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request, and gives what it met.
    fn send(&self, request: Request) -> impl Future<Output = AttemptResult> + Send;
}
