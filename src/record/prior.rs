//! What an earlier life of a run knew: what its attempts met, and which of them are in doubt.

use std::collections::BTreeMap;

use super::{AttemptResult, Origin, Record, RecordKind};

/// What is known of the attempts of a run that was interrupted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriorAttempts {
    /// By delivery, attempt and hop: what it met, where anybody knows.
    attempts: BTreeMap<(String, u32, u32), Option<AttemptResult>>,
    handshake: HandshakeState,
}

/// What is known of the handshake.
#[derive(Clone, Debug, Default, PartialEq)]
enum HandshakeState {
    #[default]
    NotBegun,
    InDoubt,
    Ended(PriorHandshake),
}

/// How a handshake ended.
#[derive(Clone, Debug, PartialEq)]
pub struct PriorHandshake {
    /// What the attempt met.
    pub result: AttemptResult,
    /// What was wrong with the answer, where something was.
    pub error: Option<String>,
    /// Whether it was sent to all the same.
    pub continues: bool,
}

impl PriorAttempts {
    /// Learns from a record.
    pub fn learn(&mut self, record: &Record) {
        match &record.kind {
            RecordKind::AttemptStarted { delivery, attempt, hop, .. } => {
                self.attempts.entry((delivery.clone(), *attempt, *hop)).or_default();
            }
            RecordKind::AttemptFinished { delivery, attempt, hop, result, .. } => {
                self.attempts.insert((delivery.clone(), *attempt, *hop), Some(result.clone()));
            }
            RecordKind::HandshakeSent { .. } if self.handshake == HandshakeState::NotBegun => {
                self.handshake = HandshakeState::InDoubt;
            }
            RecordKind::HandshakeFinished { result, error: wrong, continues, .. } => {
                let (result, wrong, continues) = (result.clone(), wrong.clone(), *continues);
                self.handshake =
                    HandshakeState::Ended(PriorHandshake { result, error: wrong, continues });
            }
            _ => {}
        }
    }

    /// Where an attempt comes from, and what it met where that is known.
    pub fn attempt(
        &self,
        delivery: &str,
        attempt: u32,
        hop: u32,
    ) -> (Origin, Option<&AttemptResult>) {
        if self.attempts.is_empty() {
            return (Origin::Sent, None);
        }
        match self.attempts.get(&(delivery.to_owned(), attempt, hop)) {
            None => (Origin::Sent, None),
            Some(None) => (Origin::Recovered, None),
            Some(result) => (Origin::Replayed, result.as_ref()),
        }
    }

    /// The same of the handshake.
    pub fn handshake(&self) -> (Origin, Option<&PriorHandshake>) {
        match &self.handshake {
            HandshakeState::NotBegun => (Origin::Sent, None),
            HandshakeState::InDoubt => (Origin::Recovered, None),
            HandshakeState::Ended(shaken) => (Origin::Replayed, Some(shaken)),
        }
    }

    /// The attempts that went out and of which nobody knows what they met: `1-2, attempt 1`.
    pub fn in_doubt(&self) -> Vec<String> {
        let doubtful = self.attempts.iter().filter(|(_, result)| result.is_none());
        let named = doubtful.map(|((id, attempt, _), _)| format!("{id}, attempt {attempt}"));
        let handshake =
            (self.handshake == HandshakeState::InDoubt).then(|| "the handshake".to_owned());
        handshake.into_iter().chain(named).collect()
    }
}
