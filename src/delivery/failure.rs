//! Names the reason why an attempt has no response, from the errors of the libraries below.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::record::AttemptOutcome;

/// Why an attempt has no complete response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct AttemptFailure {
    /// The kind of failure.
    pub outcome: AttemptOutcome,
    /// A description.
    pub reason: String,
}

impl AttemptFailure {
    pub(super) fn new(outcome: AttemptOutcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: reason.into() }
    }

    /// No connection before the timeout.
    pub(super) fn no_connection(limit: Duration) -> Self {
        Self::new(
            AttemptOutcome::TimeoutConnect,
            format!("no connection within {}", seconds(limit)),
        )
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

    /// The failure that an error stands for; `default` if none of its causes is known.
    pub(super) fn of(error: &(dyn StdError + 'static), default: AttemptOutcome) -> Self {
        causes(error).find_map(named).unwrap_or_else(|| Self::new(default, innermost(error)))
    }

    /// The failure of a TLS handshake. A connection that closes during it is a TLS failure.
    pub(super) fn in_handshake(error: &(dyn StdError + 'static)) -> Self {
        let failure = Self::of(error, AttemptOutcome::Tls);
        match failure.outcome {
            AttemptOutcome::Reset => {
                Self::new(AttemptOutcome::Tls, "the connection was closed during the TLS handshake")
            }
            _ => failure,
        }
    }
}

/// The failure that one error stands for, if it is known.
fn named(error: &(dyn StdError + 'static)) -> Option<AttemptFailure> {
    if let Some(failure) = error.downcast_ref::<AttemptFailure>() {
        return Some(failure.clone());
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(AttemptFailure::new(AttemptOutcome::Tls, error.to_string()));
    }
    let error = error.downcast_ref::<io::Error>()?;
    if let Some(resource) = exhausted_resource(error) {
        let reason = format!("this machine ran out of {resource}: {error}");
        return Some(AttemptFailure::new(AttemptOutcome::LocalError, reason));
    }
    let failure = match error.kind() {
        ErrorKind::ConnectionRefused => {
            AttemptFailure::new(AttemptOutcome::Refused, "no server listens there")
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
    // An error of rustls is wrapped in an io::Error, and is more precise.
    let is_tls = causes(error).any(<dyn StdError>::is::<rustls::Error>);
    (!is_tls).then_some(failure)
}

/// Error codes of exhausted file descriptors, by process and by system, and of socket buffers.
/// `std` has no kinds for them.
const EMFILE: i32 = if cfg!(windows) { 10_024 } else { 24 };
const ENFILE: i32 = 23;
const ENOBUFS: i32 = if cfg!(windows) {
    10_055
} else if cfg!(target_os = "linux") {
    105
} else {
    55
};

/// The resource of this machine that ran out, if that is what the error says.
pub(super) fn exhausted_resource(error: &io::Error) -> Option<&'static str> {
    match (error.kind(), error.raw_os_error()) {
        (_, Some(EMFILE)) => Some("file descriptors (see `ulimit -n`)"),
        (_, Some(ENFILE)) => Some("file descriptors"),
        (_, Some(ENOBUFS)) => Some("socket buffers"),
        // Connections in TIME_WAIT keep their ports for a minute.
        (ErrorKind::AddrNotAvailable, _) => Some("local ports"),
        (ErrorKind::OutOfMemory, _) => Some("memory"),
        _ => None,
    }
}

/// The error and its causes, outermost first.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |cause: &&'a (dyn StdError + 'static)| {
        let cause: &'a (dyn StdError + 'static) = *cause;
        // `source` of an io::Error skips the error that it wraps.
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => cause.source(),
        }
    })
}

/// The innermost cause, which is the most specific.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(target_os = "linux")] // error codes differ between systems
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_resources_of_this_machine_are_named() {
        for (code, resource) in [
            (24, "file descriptors (see `ulimit -n`)"),
            (23, "file descriptors"),
            (105, "socket buffers"),
            (99, "local ports"),
            (12, "memory"),
        ] {
            let error = io::Error::from_raw_os_error(code);
            let failure = AttemptFailure::of(&error, AttemptOutcome::Unreachable);
            assert_eq!(failure.outcome, AttemptOutcome::LocalError, "{failure}");
            let expected = format!("this machine ran out of {resource}: ");
            assert!(failure.reason.starts_with(&expected), "{failure}");
        }
        let refused = io::Error::from_raw_os_error(111);
        let failure = AttemptFailure::of(&refused, AttemptOutcome::Unreachable);
        assert_eq!(failure.outcome, AttemptOutcome::Refused);
    }
}
