//! Names the reason why an attempt has no response, from the errors of the libraries below.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use super::failure::AttemptFailure;
use super::tls;
use crate::base::resources::exhausted_resource;
use crate::record::AttemptOutcome;

impl AttemptFailure {
    /// The failure that an error stands for; `default` if none of its causes is known.
    pub(super) fn of(error: &(dyn StdError + 'static), default: AttemptOutcome) -> Self {
        causes(error).find_map(named).unwrap_or_else(|| Self::new(default, innermost(error)))
    }

    /// The failure of a TLS handshake. A connection that closes during it is a TLS failure.
    pub(super) fn in_handshake(error: &(dyn StdError + 'static)) -> Self {
        let failure = Self::of(error, AttemptOutcome::Tls);
        match failure.outcome {
            AttemptOutcome::Reset => tls::closed(),
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
        return Some(tls::failure(error));
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
