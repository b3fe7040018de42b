//! The outbox of a conversation: its deliveries, the ones that faults add, and the ones that faults
//! delay. It has no clock; the player asks what is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;

use super::RunPlan;
use crate::base::duration::DurationRange;
use crate::base::seed::SeedScope;
use crate::delivery::{Endpoint, RequestSigner};
use crate::fault::{ExpectedReaction, Fault, FaultGroup, FaultKind, Faults};
use crate::platform::{FaultInjector, Payload};
use crate::policy::{Blocks, Disable, Policy, Retry};
use crate::record::{AttemptOutcome, AttemptResult, RecordKind, SettledDelivery, SourceLine};

/// A delivery before it is handed to the delivery engine.
#[derive(Clone, Debug)]
pub(super) struct PlannedDelivery {
    pub(super) id: String,
    /// The index of its endpoint in the plan.
    pub(super) endpoint: usize,
    pub(super) step: usize,
    pub(super) at: Timestamp,
    pub(super) event_type: String,
    pub(super) certainty: String,
    pub(super) body: Arc<str>,
    pub(super) faults: Faults,
}

/// How long after the last delivery of its conversation a straggler is sent.
const LATE: DurationRange =
    DurationRange { low: SignedDuration::from_secs(1), high: SignedDuration::from_secs(10) };

/// The outgoing deliveries of one conversation.
pub(super) struct Outbox<'a> {
    plan: &'a RunPlan,
    seeds: SeedScope,
    conversation: u32,
    numbered: u32,
    first: Option<PlannedDelivery>,
    /// Deliveries to send after the next one.
    reordered: Vec<PlannedDelivery>,
    /// Deliveries to send together, once there are this many.
    held: (usize, Vec<PlannedDelivery>),
    /// Deliveries to send later, by run time and id.
    delayed: BTreeMap<(Timestamp, String), PlannedDelivery>,
    stragglers: Vec<PlannedDelivery>,
}

impl<'a> Outbox<'a> {
    pub(super) fn new(plan: &'a RunPlan, conversation: u32) -> Self {
        Self {
            plan,
            seeds: SeedScope::of_run(plan.seed).within("faults"),
            conversation,
            numbered: 0,
            first: None,
            reordered: Vec::new(),
            held: (0, Vec::new()),
            delayed: BTreeMap::new(),
            stragglers: Vec::new(),
        }
    }

    /// Plans the deliveries of a payload: one for each endpoint, each with its id and its faults
    /// (those of its step, or else those of the script), and the extra deliveries that a fault such
    /// as `duplicate` adds.
    pub(super) fn plan(
        &mut self,
        payload: Payload,
        step: usize,
        at: Timestamp,
        faults: &Faults,
    ) -> Vec<PlannedDelivery> {
        let body: Arc<str> = payload.body.unwrap_or_default().into();
        let mut all = Vec::new();
        for endpoint in payload.endpoints {
            all.extend(self.plan_one(PlannedDelivery {
                id: String::new(),
                endpoint,
                step,
                at,
                event_type: payload.event_type.clone(),
                certainty: payload.certainty.to_string(),
                body: Arc::clone(&body),
                faults: faults.clone(),
            }));
        }
        all
    }

    fn plan_one(&mut self, planned: PlannedDelivery) -> Vec<PlannedDelivery> {
        self.numbered += 1;
        // Unique within the run, and the same in every run: a journal refers to it.
        let id = format!("{}-{}", self.conversation, self.numbered);
        let faults = self.faults(&id, planned.faults);
        let mut planned = PlannedDelivery { id, faults, ..planned };
        if !planned.faults.is_empty() {
            let injector = FaultInjector::of(&self.plan.account);
            planned.body =
                injector.body(&planned.body, &planned.faults, &self.seeds, &planned.id).into();
        }
        // Kept only if an order fault may need it: thousands of conversations wait at once.
        if self.first.is_none() && self.plan.script.has_faults(FaultGroup::Order) {
            self.first = Some(planned.clone());
        }
        let (again, suffix) = match planned.faults.of(FaultGroup::Order).map(|fault| fault.kind) {
            Some(FaultKind::Duplicate) => (planned.clone(), "again"),
            Some(FaultKind::Stale) => {
                (self.first.clone().unwrap_or_else(|| planned.clone()), "stale")
            }
            _ => return vec![planned],
        };
        let PlannedDelivery { step, at, endpoint, .. } = planned;
        let again =
            PlannedDelivery { id: format!("{}.{suffix}", planned.id), step, at, endpoint, ..again };
        let again = PlannedDelivery { faults: planned.faults.clone(), ..again };
        planned.faults.0.retain(|fault| fault.kind.group() != FaultGroup::Order);
        vec![planned, again]
    }

    /// The faults of a delivery: those of its step, or else those of the script. While a `hold` is
    /// open, the delivery joins it.
    fn faults(&self, id: &str, own: Faults) -> Faults {
        let defaults = &self.plan.script.faults;
        let mut faults = own;
        if faults.is_empty() {
            let one_in = defaults.one_in.unwrap_or(1);
            if one_in <= 1 || self.seeds.rng(id).random_range(0..one_in) == 0 {
                faults = defaults.faults.clone();
            }
        }
        if let Some(first) = self.held.1.first()
            && faults.of(FaultGroup::Order).is_none()
        {
            faults.0.extend(first.faults.of(FaultGroup::Order).cloned());
        }
        faults
    }

    /// Takes a delivery, and returns the deliveries to send now.
    pub(super) fn put(&mut self, planned: PlannedDelivery) -> Vec<PlannedDelivery> {
        let fault = planned.faults.of(FaultGroup::Order).cloned();
        let Some(Fault { kind, amount, .. }) = fault else { return self.with_reordered(planned) };
        match kind {
            FaultKind::Drop => {}
            FaultKind::Delay => {
                let at = planned.at.checked_add(amount.time().unwrap_or_default());
                self.delay(at.unwrap_or(Timestamp::MAX), planned);
            }
            // Two deliveries that wait for the next one would wait for each other.
            FaultKind::Reorder if self.reordered.is_empty() => self.reordered.push(planned),
            FaultKind::Straggler => self.stragglers.push(planned),
            FaultKind::Hold => {
                let (size, held) = &mut self.held;
                if held.is_empty() {
                    *size = amount.number();
                }
                let at = planned.at;
                held.push(planned);
                if held.len() >= *size {
                    return released(at, std::mem::take(held));
                }
            }
            _ => return self.with_reordered(planned),
        }
        Vec::new()
    }

    fn with_reordered(&mut self, planned: PlannedDelivery) -> Vec<PlannedDelivery> {
        let behind = released(planned.at, std::mem::take(&mut self.reordered));
        [planned].into_iter().chain(behind).collect()
    }

    fn delay(&mut self, at: Timestamp, planned: PlannedDelivery) {
        self.delayed.insert((at, planned.id.clone()), planned);
    }

    /// The earliest delayed delivery that is due by this time, with its time.
    pub(super) fn due(&mut self, by: Timestamp) -> Option<(Timestamp, PlannedDelivery)> {
        let first = self.delayed.first_entry().filter(|first| first.key().0 <= by)?;
        let ((at, _), planned) = first.remove_entry();
        Some((at, PlannedDelivery { at, ..planned }))
    }

    /// Ends the conversation: returns the deliveries that still wait for others. Stragglers become
    /// due after all others.
    pub(super) fn end(&mut self, now: Timestamp) -> Vec<PlannedDelivery> {
        let last = self.delayed.last_key_value().map_or(now, |((at, _), _)| now.max(*at));
        for planned in std::mem::take(&mut self.stragglers) {
            let late = LATE.sample(&mut self.seeds.rng(&format!("straggler {}", planned.id)));
            self.delay(last.checked_add(late).unwrap_or(Timestamp::MAX), planned);
        }
        // No further delivery comes that they could follow, but all must be sent.
        let mut rest = std::mem::take(&mut self.reordered);
        rest.append(&mut self.held.1);
        released(now, rest)
    }
}

/// Deliveries that were held back, due now.
fn released(at: Timestamp, planned: Vec<PlannedDelivery>) -> Vec<PlannedDelivery> {
    planned.into_iter().map(|planned| PlannedDelivery { at, ..planned }).collect()
}

impl PlannedDelivery {
    /// The record that announces it.
    pub(super) fn planned(&self, plan: &RunPlan) -> RecordKind {
        RecordKind::DeliveryPlanned {
            delivery: self.id.clone(),
            endpoint: self.endpoint_number(plan),
            event_type: self.event_type.clone(),
            certainty: self.certainty.clone(),
            faults: self.faults.clone(),
            body: Arc::clone(&self.body),
        }
    }

    /// The result of a delivery that the fault `drop` keeps from being sent.
    pub(super) fn dropped(&self, plan: &RunPlan, source: Option<SourceLine>) -> SettledDelivery {
        SettledDelivery {
            delivery: self.id.clone(),
            endpoint: self.endpoint_number(plan),
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

    /// The number of its endpoint, from 1.
    fn endpoint_number(&self, plan: &RunPlan) -> u32 {
        plan.endpoints[self.endpoint].number
    }

    /// The headers of its first attempt.
    pub(super) fn headers(&self, plan: &RunPlan) -> Vec<(String, String)> {
        FaultInjector::of(&plan.account).headers(&self.body, 1, &self.faults)
    }

    /// Its endpoint. Token and charset faults replace the endpoint's signer.
    pub(super) fn endpoint(
        &self,
        plan: &Arc<RunPlan>,
        endpoints: &[Arc<Endpoint>],
    ) -> Arc<Endpoint> {
        let usual = &endpoints[self.endpoint];
        if self.faults.of(FaultGroup::Token).is_none() && !self.faults.has(FaultKind::Charset) {
            return Arc::clone(usual);
        }
        let (account, faults) = (Arc::clone(&plan.account), self.faults.clone());
        let extra = plan.endpoints[self.endpoint].extra_headers();
        let signer: RequestSigner = Arc::new(move |body, attempt| {
            let mut headers = FaultInjector::of(&account).headers(body, attempt, &faults);
            headers.extend(extra.iter().cloned());
            headers
        });
        Arc::new(Endpoint { signer, ..Endpoint::clone(usual) })
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
