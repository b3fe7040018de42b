//! Advice after a run that did not pass: likely causes, and what to do about them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use url::Url;

use super::likely_cause::likely_cause;
use super::rerun::start_receiver_hint;
use super::timestamp_hint::TimestampHint;
use crate::base::text::{count, escape};
use crate::record::{
    AttemptOutcome, AttemptResult, AuthHint, Record, RecordKind, RunStarted, SettledDelivery,
};

/// Maximum number of hints about failed requests.
// Several receivers rarely fail for more reasons, and more hints would hide the reasons.
const MAX_HELPS: usize = 3;

/// Maximum number of values of common mistakes. The likely ones come first.
const MAX_MISTAKES: usize = 12;

/// Collects what the records of a run say about the causes of its failures.
#[derive(Debug, Default)]
pub(super) struct Advice {
    unauthorized: bool,
    /// Number of deliveries without a fault that passed.
    accepted: u64,
    /// Number of the first endpoint that refused a connection.
    refused: Option<u32>,
    /// Number of the first endpoint that closed a connection without a response.
    closed: Option<u32>,
    /// Whether the endpoint that refused a connection had responded before.
    has_stopped: bool,
    /// Endpoints that have responded.
    responding: BTreeSet<u32>,
    /// Deliveries that have not settled and to which the receiver has responded.
    retried: BTreeSet<String>,
    hint: Option<AuthHint>,
    /// What to do about failed requests; each sentence once.
    helps: Vec<String>,
    timestamps: TimestampHint,
    /// The statuses of failed requests, with the likely cause of each.
    causes: BTreeMap<u16, Option<&'static str>>,
}

impl Advice {
    /// Takes a record of the run into account.
    pub(super) fn count(&mut self, record: &Record) {
        match &record.kind {
            RecordKind::HandshakeFinished { endpoint, result, error, .. } => {
                self.note_response(*endpoint, result);
                if error.is_some() {
                    self.timestamps.count(result);
                    self.note_failure(*endpoint, result);
                }
            }
            RecordKind::ProbeFinished { endpoint, result, .. } => {
                self.note_response(*endpoint, result);
            }
            RecordKind::AttemptFinished { delivery, result, .. } if result.status.is_some() => {
                self.retried.insert(delivery.clone());
            }
            RecordKind::DeliverySettled(settled) => self.settle(settled),
            RecordKind::AuthHint(hint) => self.hint = Some(hint.clone()),
            _ => {}
        }
    }

    fn settle(&mut self, settled: &SettledDelivery) {
        let SettledDelivery { endpoint, result, faults, .. } = settled;
        // An earlier attempt may have had a response, and the last one none.
        if self.retried.remove(&settled.delivery) {
            self.responding.insert(*endpoint);
        }
        self.note_response(*endpoint, result);
        // A fault can be the cause itself, so it says nothing about the receiver.
        if faults.is_empty() {
            self.timestamps.count(result);
            if settled.passed {
                self.accepted += 1;
            } else {
                self.note_failure(*endpoint, result);
            }
        }
    }

    fn note_response(&mut self, endpoint: u32, result: &AttemptResult) {
        if result.status.is_some() {
            self.responding.insert(endpoint);
        }
    }

    fn note_failure(&mut self, endpoint: u32, result: &AttemptResult) {
        self.unauthorized |= matches!(result.status, Some(401 | 403));
        if let Some(status) = result.status {
            self.causes.insert(status, likely_cause(result).filter(|_| is_specific(status)));
        }
        if result.outcome == AttemptOutcome::Refused && self.refused.is_none() {
            self.refused = Some(endpoint);
            self.has_stopped = self.responding.contains(&endpoint);
        }
        if result.outcome == AttemptOutcome::Reset && self.closed.is_none() {
            self.closed = Some(endpoint);
        }
        if let Some(help) = result.help.as_ref().filter(|help| !self.helps.contains(help)) {
            self.helps.push(help.clone());
        }
    }

    /// Returns the advice, with terminal control characters escaped. The first line of each text is a
    /// sentence; further lines are indented details. `now` is the wall time of the end of the run.
    /// `is_verbose` includes unlikely mistakes.
    pub(super) fn texts(&self, run: &RunStarted, now: Timestamp, is_verbose: bool) -> Vec<String> {
        let mut texts: Vec<String> =
            self.refused.and_then(|endpoint| self.of_refused(run, endpoint)).into_iter().collect();
        texts.extend(self.closed.and_then(|endpoint| self.of_closed(run, endpoint)));
        texts.extend(self.helps.iter().take(MAX_HELPS).map(|help| escape(help)));
        let most = if is_verbose { usize::MAX } else { MAX_MISTAKES };
        texts.extend(self.hint.as_ref().map(|hint| of_auth_hint(hint, most)));
        // If no header can be verified, different credentials cannot be the cause.
        let is_open = self.hint.as_ref().is_some_and(|hint| hint.expected.is_empty());
        if self.unauthorized && self.accepted > 0 {
            let others = count(self.accepted, "other delivery", "other deliveries");
            texts.push(format!(
                "the receiver accepted the same credentials of {others}. Look for what is different \
                 in the rejected ones"
            ));
        } else if self.unauthorized && !is_open {
            let vendor = escape(&run.vendor);
            texts.push(format!(
                "check that the receiver uses the credentials of `standin secrets {vendor}`"
            ));
        }
        if self.accepted == 0
            && let (1, Some((status, Some(cause)))) =
                (self.causes.len(), self.causes.first_key_value())
        {
            texts.push(format!("every response was {status}: {cause}"));
        }
        texts.extend(self.timestamps.hint(run.start, now));
        texts
    }

    /// Explains why an endpoint closed its connections: some servers with TLS only close those on which
    /// plain HTTP arrives.
    fn of_closed(&self, run: &RunStarted, endpoint: u32) -> Option<String> {
        let url = url_of(run, endpoint)?;
        let is_possible = url.scheme() == "http" && !self.responding.contains(&endpoint);
        is_possible.then(|| {
            format!(
                "the receiver on {url} closed every connection without a response. If it speaks TLS \
                 on this port, write `https://` in its URL"
            )
        })
    }

    /// Explains why an endpoint refused connections.
    fn of_refused(&self, run: &RunStarted, endpoint: u32) -> Option<String> {
        let url = url_of(run, endpoint)?;
        if self.has_stopped {
            return Some(format!(
                "the receiver on {url} had responded before it stopped listening. Look for a crash \
                 or a restart in its log."
            ));
        }
        let hint = start_receiver_hint(&escape(&run.vendor), &url);
        Some(format!("no server is listening on {url}. {hint}."))
    }
}

/// Returns true for a status that says what is wrong with a request, whatever the receiver is.
fn is_specific(status: u16) -> bool {
    matches!(status, 300..=399 | 404 | 405 | 411 | 413..=415 | 429 | 431 | 502..=504)
}

/// Returns the URL of an endpoint.
fn url_of(run: &RunStarted, endpoint: u32) -> Option<Url> {
    let index = usize::try_from(endpoint).ok()?.checked_sub(1)?;
    Url::parse(run.urls.get(index)?).ok()
}

/// Returns the expected credentials of a rejected request, and the values that common mistakes
/// produce, at most this many.
fn of_auth_hint(hint: &AuthHint, most: usize) -> String {
    let AuthHint { event_type, status, expected, mistakes } = hint;
    let event = escape(event_type);
    if expected.is_empty() {
        return format!(
            "the receiver responded {status}, but no header of `{event}` can be verified"
        );
    }
    let mut text = format!(
        "the receiver responded {status}. Compare the value that it computes for the first `{event}` \
         with these:"
    );
    for (name, value) in expected {
        text += &format!("\n  {}: {}  is correct", escape(name), escape(value));
    }
    for mistake in mistakes.iter().take(most) {
        text += &format!("\n  {}  if computed {}", escape(&mistake.value), mistake.computed);
    }
    if let Some(more @ 1..) = mistakes.len().checked_sub(most) {
        text += &format!("\n  --verbose prints {more} more");
    }
    text
}
