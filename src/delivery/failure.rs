//! What an attempt met instead of an answer, named from the errors of the libraries below.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::record::AttemptOutcome;

/// What an attempt met instead of an answer, and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct AttemptFailure {
    /// What.
    pub outcome: AttemptOutcome,
    /// What there is to say about it.
    pub reason: String,
}

impl AttemptFailure {
    pub(super) fn new(outcome: AttemptOutcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into() }
    }

    /// No connection within this time.
    pub(super) fn no_connection(limit: Duration) -> Self {
        Self::new(
            AttemptOutcome::TimeoutConnect,
            format!("no connection within {}", seconds(limit)),
        )
    }

    /// No answer within this time.
    pub(super) fn no_head(limit: Duration) -> Self {
        Self::new(AttemptOutcome::TimeoutHead, format!("no answer within {}", seconds(limit)))
    }

    /// No end of the answer within this time.
    pub(super) fn no_end(limit: Duration) -> Self {
        let reason = format!("the answer did not end within {}", seconds(limit));
        Self::new(AttemptOutcome::TimeoutBody, reason)
    }

    /// The connection was closed before an answer came.
    pub(super) fn closed() -> Self {
        Self::new(AttemptOutcome::Reset, "the connection was closed before the answer was there")
    }

    /// The head of the answer is beyond its limit.
    pub(super) fn large_head() -> Self {
        Self::new(AttemptOutcome::HeadTooLarge, "the answer's head is too large")
    }

    /// What came is not how HTTP/1.1 answers.
    pub(super) fn protocol(reason: impl fmt::Display) -> Self {
        Self::new(AttemptOutcome::Protocol, format!("this is no HTTP/1.1 answer: {reason}"))
    }

    /// What this error means; `otherwise` if it has no specific outcome.
    pub(super) fn of(error: &(dyn StdError + 'static), otherwise: AttemptOutcome) -> Self {
        causes(error).find_map(named).unwrap_or_else(|| Self::new(otherwise, innermost(error)))
    }

    /// What an error of a TLS handshake means: a connection that goes away in it had no TLS.
    pub(super) fn in_handshake(error: &(dyn StdError + 'static)) -> Self {
        let failure = Self::of(error, AttemptOutcome::Tls);
        match failure.outcome {
            AttemptOutcome::Reset => {
                Self::new(AttemptOutcome::Tls, "the connection was closed while TLS was agreed on")
            }
            _ => failure,
        }
    }
}

/// What one error means, where it has a name.
fn named(error: &(dyn StdError + 'static)) -> Option<AttemptFailure> {
    if let Some(failure) = error.downcast_ref::<AttemptFailure>() {
        return Some(failure.clone());
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(AttemptFailure::new(AttemptOutcome::Tls, error.to_string()));
    }
    let failure = match error.downcast_ref::<io::Error>()?.kind() {
        ErrorKind::ConnectionRefused => {
            AttemptFailure::new(AttemptOutcome::Refused, "nothing listens there")
        }
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => AttemptFailure::closed(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            AttemptFailure::new(AttemptOutcome::Unreachable, error.to_string())
        }
        _ => return None,
    };
    // rustls travels inside an io::Error, and says more.
    let says_more = causes(error).any(<dyn StdError>::is::<rustls::Error>);
    (!says_more).then_some(failure)
}

/// The error and what caused it, outermost first.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn StdError + 'static)| {
        let cause: &'a (dyn StdError + 'static) = *cause;
        // `source` of an io::Error skips the error that travels inside.
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => cause.source(),
        }
    })
}

/// The innermost cause, which is the one that says something.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
