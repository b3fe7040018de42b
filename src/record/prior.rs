//! Results of the interrupted runs that a run resumes.
//!
//! An attempt with a result is not sent again. An attempt without one is in doubt: the receiver may
//! have seen it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{AttemptResult, ExpectationResult, Origin, Record, RecordKind};
use crate::fault::Fault;

/// The attempts of interrupted runs. Their results stay in the journal.
#[derive(Clone, Debug, Default)]
pub struct PriorAttempts {
    /// Where each result is, by delivery id, attempt and hop; `None` if in doubt.
    attempts: BTreeMap<(Box<str>, u32, u32), Option<RecordPlace>>,
    /// Reads the results; `None` if there are none to read.
    results: Option<Arc<dyn PriorResults>>,
    /// Handshakes by the number of the endpoint.
    handshakes: BTreeMap<u32, HandshakeState>,
    /// Results of probes by endpoint and fault; `None` if in doubt.
    probes: BTreeMap<(u32, String), Option<AttemptResult>>,
    /// Results of expectations by conversation, step and round; `None` if in doubt.
    expectations: BTreeMap<(u32, usize, u32), Option<ExpectationResult>>,
    /// Whether the receiver has called the vendor's API.
    has_calls: bool,
}

/// Where a record is in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// Number of the run.
    pub run: i64,
    /// Number of the record in its run.
    pub seq: u64,
}

/// Reads records of interrupted runs again.
pub trait PriorResults: fmt::Debug + Send + Sync {
    /// Returns a record, or the reason why it cannot be read.
    fn record(&self, place: RecordPlace) -> Result<Record, String>;
}

/// How far a handshake got.
#[derive(Clone, Debug, PartialEq)]
enum HandshakeState {
    InDoubt,
    Ended(Box<PriorHandshake>),
}

/// The result of an earlier handshake.
#[derive(Clone, Debug, PartialEq)]
pub struct PriorHandshake {
    /// The result of the request.
    pub result: AttemptResult,
    /// Why the response did not complete the handshake, if it did not.
    pub error: Option<String>,
    /// Whether the run went on to send events.
    pub continues: bool,
}

impl PriorAttempts {
    /// The attempts of runs whose results are read from `results`.
    pub fn stored_in(results: Arc<dyn PriorResults>) -> Self {
        Self { results: Some(results), ..Self::default() }
    }

    /// Adds the information in a record of a run. Records must come in order.
    pub fn add(&mut self, run: i64, record: &Record) {
        match &record.kind {
            RecordKind::AttemptStarted { delivery, attempt, hop, .. } => {
                // Keeps the result of an attempt that a resumed run records again.
                self.attempts.entry((delivery.as_str().into(), *attempt, *hop)).or_default();
            }
            RecordKind::AttemptFinished { delivery, attempt, hop, .. } => {
                let place = RecordPlace { run, seq: record.seq };
                self.attempts.insert((delivery.as_str().into(), *attempt, *hop), Some(place));
            }
            RecordKind::HandshakeSent { endpoint, .. } => {
                self.handshakes.entry(*endpoint).or_insert(HandshakeState::InDoubt);
            }
            RecordKind::HandshakeFinished { endpoint, result, error, continues, .. } => {
                let (result, error, continues) = (result.clone(), error.clone(), *continues);
                let ended = Box::new(PriorHandshake { result, error, continues });
                self.handshakes.insert(*endpoint, HandshakeState::Ended(ended));
            }
            RecordKind::ProbeSent { endpoint, fault, .. } => {
                self.probes.entry((*endpoint, fault.to_string())).or_default();
            }
            RecordKind::ProbeFinished { endpoint, fault, result, .. } => {
                self.probes.insert((*endpoint, fault.to_string()), Some(result.clone()));
            }
            RecordKind::ExpectationStarted { request, .. } => {
                let key = expectation_key(record.conversation, record.step, request.round);
                self.expectations.entry(key).or_default();
            }
            RecordKind::ExpectationFinished(settled) => {
                let round = settled.request.round;
                let key = expectation_key(record.conversation, record.step, round);
                self.expectations.insert(key, Some(settled.result.clone()));
            }
            RecordKind::CallReceived(_) => self.has_calls = true,
            _ => {}
        }
    }

    /// Returns whether the receiver has called the vendor's API. What the calls have changed is not
    /// known.
    pub fn has_calls(&self) -> bool {
        self.has_calls
    }

    /// Drops the attempts of deliveries that are not sent again.
    pub fn forget(&mut self, is_settled: impl Fn(&str) -> bool) {
        self.attempts.retain(|(delivery, ..), _| !is_settled(delivery));
    }

    /// Returns the origin of an expectation, with its result if it is known.
    pub fn expectation(
        &self,
        conversation: u32,
        step: Option<usize>,
        round: u32,
    ) -> (Origin, Option<&ExpectationResult>) {
        match self.expectations.get(&expectation_key(Some(conversation), step, round)) {
            None => (Origin::Sent, None),
            Some(None) => (Origin::Recovered, None),
            Some(result) => (Origin::Replayed, result.as_ref()),
        }
    }

    /// Returns the origin of an attempt, with its result if it is known.
    ///
    /// # Errors
    ///
    /// Fails with the reason if the stored result cannot be read.
    pub fn attempt(
        &self,
        delivery: &str,
        attempt: u32,
        hop: u32,
    ) -> Result<(Origin, Option<AttemptResult>), String> {
        // Spares runs that resume nothing a copy of the id for each attempt.
        if self.attempts.is_empty() {
            return Ok((Origin::Sent, None));
        }
        let (origin, place) = origin_of(self.attempts.get(&(delivery.into(), attempt, hop)));
        let Some((place, results)) = place.zip(self.results.as_ref()) else {
            return Ok((origin, None));
        };
        match results.record(*place)?.kind {
            RecordKind::AttemptFinished { delivery: id, result, .. } if id == delivery => {
                Ok((origin, Some(result)))
            }
            _ => Err(format!("record {} of run {} has changed", place.seq, place.run)),
        }
    }

    /// Returns the origin of an endpoint's handshake, with its result if it is known.
    pub fn handshake(&self, endpoint: u32) -> (Origin, Option<&PriorHandshake>) {
        match self.handshakes.get(&endpoint) {
            None => (Origin::Sent, None),
            Some(HandshakeState::InDoubt) => (Origin::Recovered, None),
            Some(HandshakeState::Ended(handshake)) => (Origin::Replayed, Some(&**handshake)),
        }
    }

    /// Returns the origin of a probe of an endpoint, with its result if it is known.
    pub fn probe(&self, endpoint: u32, fault: &Fault) -> (Origin, Option<&AttemptResult>) {
        origin_of(self.probes.get(&(endpoint, fault.to_string())))
    }

    /// Describes the attempts in doubt, such as `1-2, attempt 1`.
    pub fn in_doubt(&self) -> Vec<String> {
        let in_doubt = self.attempts.iter().filter(|(_, result)| result.is_none());
        let named = in_doubt.map(|((id, attempt, _), _)| format!("{id}, attempt {attempt}"));
        let is_in_doubt = |state: &&HandshakeState| **state == HandshakeState::InDoubt;
        let handshakes = self.handshakes.values().filter(is_in_doubt);
        let probes = self.probes.iter().filter(|(_, result)| result.is_none());
        let probes = probes.map(|((_, fault), _)| format!("the probe `{fault}`"));
        handshakes.map(|_| "the handshake".to_owned()).chain(probes).chain(named).collect()
    }
}

fn expectation_key(
    conversation: Option<u32>,
    step: Option<usize>,
    round: u32,
) -> (u32, usize, u32) {
    (conversation.unwrap_or_default(), step.unwrap_or_default(), round)
}

/// Returns the origin of a request whose state was looked up.
fn origin_of<T>(state: Option<&Option<T>>) -> (Origin, Option<&T>) {
    match state {
        None => (Origin::Sent, None),
        Some(None) => (Origin::Recovered, None),
        Some(result) => (Origin::Replayed, result.as_ref()),
    }
}
