//! The likely cause of a failed request, as its result alone shows it.

use crate::record::{AttemptOutcome, AttemptResult};

/// Returns the likely cause of a failure, in a sentence without a full stop.
pub(super) fn likely_cause(result: &AttemptResult) -> Option<&'static str> {
    Some(match result.outcome {
        AttemptOutcome::Responded | AttemptOutcome::BodyIncomplete => return of_status(result),
        AttemptOutcome::TimeoutHead | AttemptOutcome::TimeoutBody => {
            "the receiver does its work before it responds. Let it respond first, or allow more time \
             with `--timeout`"
        }
        AttemptOutcome::TimeoutConnect => {
            "the receiver is overloaded, or a firewall drops the packets. Check host and port"
        }
        AttemptOutcome::Refused => "the receiver is not running, or listens on another port",
        AttemptOutcome::Reset => {
            "the receiver crashed, or an exception ended the request. Look in its log"
        }
        AttemptOutcome::Protocol => "another program listens on this port, or the scheme is wrong",
        AttemptOutcome::Dns => "the host name is misspelled, or known in another network only",
        _ => return None,
    })
}

fn of_status(result: &AttemptResult) -> Option<&'static str> {
    Some(match result.status? {
        300..=399 => {
            "the URL is not the final one. Look for `http` instead of `https`, a missing slash at its \
             end, and a redirect to a login page"
        }
        401 | 403 => {
            "the receiver verifies with other credentials, or computes another signature. Compare with \
             `standin secrets`"
        }
        404 | 405 => "the path of the URL is wrong, or the receiver accepts no POST there",
        411 | 413 | 414 | 431 => "a limit of the receiver, or of a proxy in front of it",
        415 => "the receiver expects another `Content-Type`",
        429 => {
            "the receiver limits the number of requests. Fewer parallel runs may help (`--jobs`)"
        }
        400 | 402 | 406..=499 => {
            "the receiver requires something that the request does not have. Its response says what"
        }
        502..=504 => "a proxy in front of the receiver cannot reach it",
        500..=599 => "an error in the code of the receiver. Look in its log",
        _ => return None,
    })
}
