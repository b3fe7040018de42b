//! A delivery before it is handed to the delivery engine.

use std::sync::Arc;

use jiff::Timestamp;

use super::endpoint::LiveEndpoint;
use crate::delivery::{Endpoint, RequestSigner};
use crate::fault::{ExpectedReaction, FaultGroup, FaultKind, Faults};
use crate::platform::{Account, FaultInjector, RequestFacts};
use crate::policy::{Blocks, Disable, Policy, Retry};
use crate::record::{
    AttemptOutcome, AttemptResult, EventFacts, RecordKind, SettledDelivery, SourceLine,
};

/// A delivery before it is handed to the delivery engine.
#[derive(Clone, Debug)]
pub struct PlannedDelivery {
    /// Delivery id, unique in the run.
    pub id: String,
    /// The index of its endpoint among those of the account.
    pub endpoint: usize,
    /// Number of the script's step, from 1; `None` if it belongs to no script.
    pub step: Option<usize>,
    /// The run time of the event.
    pub at: Timestamp,
    /// The vendor's name of the event type.
    pub event_type: String,
    /// How well the body's structure is known.
    pub certainty: String,
    /// The body.
    pub body: Arc<str>,
    /// Injected faults.
    pub faults: Faults,
    /// Whether it is a control: the next delivery without its faults.
    pub control: bool,
    /// The event, if headers depend on it.
    pub event: Option<Arc<EventFacts>>,
}

impl PlannedDelivery {
    /// The record that announces it.
    pub(super) fn planned(&self, endpoint: u32) -> RecordKind {
        RecordKind::DeliveryPlanned {
            delivery: self.id.clone(),
            endpoint,
            event_type: self.event_type.clone(),
            certainty: self.certainty.clone(),
            faults: self.faults.clone(),
            control: self.control,
            body: Arc::clone(&self.body),
            event: self.event.clone(),
        }
    }

    /// The result of a delivery that the fault `drop` keeps from being sent.
    pub(super) fn dropped(&self, endpoint: u32, source: Option<SourceLine>) -> SettledDelivery {
        SettledDelivery {
            delivery: self.id.clone(),
            endpoint,
            event_type: self.event_type.clone(),
            attempts: 0,
            faults: self.faults.clone(),
            accepted: false,
            // It says nothing about the receiver, so it counts neither way.
            passed: true,
            why: None,
            source,
            result: AttemptResult::failure(
                AttemptOutcome::Dropped,
                "it was not sent, on purpose",
                0,
            ),
        }
    }

    /// The headers of its first attempt.
    pub fn headers(&self, account: &Account) -> Vec<(String, String)> {
        let request = RequestFacts::of_event(&self.body, 1, self.at, self.event.as_deref());
        FaultInjector::of(account).headers(&request, &self.faults)
    }

    /// Its endpoint. Headers that depend on the event, and token and charset faults, need a signer
    /// of their own.
    pub(super) fn endpoint(&self, usual: &LiveEndpoint) -> Arc<Endpoint> {
        let has_own_headers = self.event.is_some()
            || self.faults.of(FaultGroup::Token).is_some()
            || self.faults.has(FaultKind::Charset);
        if !has_own_headers {
            return Arc::clone(&usual.endpoint);
        }
        let (account, faults) = (Arc::clone(&usual.account), self.faults.clone());
        let extra = usual.plan.extra_headers();
        let event = self.event.clone();
        let signer: RequestSigner = Arc::new(move |body, attempt, sent_at| {
            let request = RequestFacts::of_event(body, attempt, sent_at, event.as_deref());
            let mut headers = FaultInjector::of(&account).headers(&request, &faults);
            headers.extend(extra.iter().cloned());
            headers
        });
        Arc::new(Endpoint { signer, ..Endpoint::clone(&usual.endpoint) })
    }

    /// Its policy. A delivery that receivers may refuse is sent once and blocks nothing. A retry
    /// that follows an accepted delivery blocks its conversation only.
    pub(super) fn policy(&self, usual: &Arc<Policy>) -> Arc<Policy> {
        let usual = Arc::clone(usual);
        if matches!(
            self.faults.expected_reaction(1),
            ExpectedReaction::NoCrash | ExpectedReaction::Refusal
        ) {
            let (retry, blocks, disable) = (Retry::None, Blocks::Nothing, Disable::default());
            return Arc::new(Policy { retry, blocks, disable, ..Policy::clone(&usual) });
        }
        if self.faults.has(FaultKind::Retry) {
            return Arc::new(Policy { blocks: Blocks::Conversation, ..Policy::clone(&usual) });
        }
        usual
    }
}
