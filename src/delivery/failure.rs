//! The reason why an attempt has no complete response.

use std::fmt;
use std::time::Duration;

use crate::record::AttemptOutcome;

/// Help for a server that expects TLS.
pub(super) const SPEAK_TLS: &str = "write `https://` in the URL of the receiver";

/// Why an attempt has no complete response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct AttemptFailure {
    /// The kind of failure.
    pub outcome: AttemptOutcome,
    /// A description.
    pub reason: String,
    /// What to do about it, if that is known.
    pub help: Option<String>,
}

impl AttemptFailure {
    pub(super) fn new(outcome: AttemptOutcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into(), help: None }
    }

    /// Says what to do about the failure.
    #[must_use]
    pub(super) fn helped(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// No connection before the timeout.
    pub(super) fn no_connection(limit: Duration) -> Self {
        Self::new(
            AttemptOutcome::TimeoutConnect,
            format!("no connection within {}", seconds(limit)),
        )
    }

    /// A connection, but no end of the TLS handshake before the timeout.
    pub(super) fn no_handshake(limit: Duration) -> Self {
        let reason = format!(
            "the server accepted the connection, but the TLS handshake did not finish within {}",
            seconds(limit)
        );
        Self::new(AttemptOutcome::TimeoutConnect, reason)
            .helped("if the receiver speaks plain HTTP, write `http://` in its URL")
    }

    /// The server speaks TLS, but the URL has the scheme `http`.
    pub(super) fn unexpected_tls() -> Self {
        Self::protocol("the server speaks TLS on this port").helped(SPEAK_TLS)
    }

    /// No response head before the timeout.
    pub(super) fn no_head(limit: Duration) -> Self {
        Self::new(AttemptOutcome::TimeoutHead, format!("no response within {}", seconds(limit)))
    }

    /// The response did not end before the timeout.
    pub(super) fn no_end(limit: Duration) -> Self {
        let reason = format!("the response did not end within {}", seconds(limit));
        Self::new(AttemptOutcome::TimeoutBody, reason)
    }

    /// The connection was closed before a complete response head.
    pub(super) fn closed() -> Self {
        Self::new(AttemptOutcome::Reset, "the connection was closed before a response")
    }

    /// The response head exceeds its size limit.
    pub(super) fn large_head() -> Self {
        Self::new(AttemptOutcome::HeadTooLarge, "the response head is too large")
    }

    /// The response is not HTTP/1.1.
    pub(super) fn protocol(reason: impl fmt::Display) -> Self {
        Self::new(AttemptOutcome::Protocol, format!("the response is not valid HTTP/1.1: {reason}"))
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
