//! What leaves a conversation, and when: its deliveries, those that faults add, and those that
//! faults hold back. Without a clock: whoever plays asks what is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;

use super::RunPlan;
use crate::base::duration::DurationRange;
use crate::base::seed::SeedScope;
use crate::delivery::{Endpoint, RequestSigner};
use crate::fault::{ExpectedReaction, Fault, FaultGroup, FaultKind, Faults};
use crate::platform::Payload;
use crate::policy::{Blocks, Disable, Policy, Retry};
use crate::record::{AttemptOutcome, AttemptResult, RecordKind, SettledDelivery, SourceLine};

/// A delivery as it is planned.
#[derive(Clone, Debug)]
pub(super) struct PlannedDelivery {
    pub(super) id: String,
    pub(super) step: usize,
    pub(super) at: Timestamp,
    pub(super) event_type: String,
    pub(super) certainty: String,
    pub(super) body: Arc<str>,
    pub(super) faults: Faults,
}

/// How long after everything else of its conversation a straggler comes.
const LATE: DurationRange =
    DurationRange { low: SignedDuration::from_secs(1), high: SignedDuration::from_secs(10) };

/// The deliveries of one conversation on their way out.
pub(super) struct Outbox<'a> {
    plan: &'a RunPlan,
    seeds: SeedScope,
    conversation: u32,
    numbered: u32,
    first: Option<PlannedDelivery>,
    /// What goes out behind the next delivery.
    reordered: Vec<PlannedDelivery>,
    /// What goes out at once, when there are so many.
    held: (usize, Vec<PlannedDelivery>),
    /// What goes out when its time comes, by time and id.
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

    /// A payload as it is sent, with its step's faults or those of the whole script, and what they
    /// send beside it. Ids are given here.
    pub(super) fn plan(&mut self, payload: PlannedDelivery) -> Vec<PlannedDelivery> {
        self.numbered += 1;
        let id = format!("{}-{}", self.conversation, self.numbered);
        let faults = self.faults(&id, payload.faults);
        let mut planned = PlannedDelivery { id, faults, ..payload };
        if !planned.faults.is_empty() {
            let drawn = (&self.seeds, planned.id.as_str());
            planned.body =
                self.plan.account.body_with(&planned.body, &planned.faults, drawn).into();
        }
        // Thousands of conversations wait at once: it is kept where it may be asked for.
        if self.first.is_none() && self.plan.script.wants(FaultGroup::Order) {
            self.first = Some(planned.clone());
        }
        let (again, suffix) = match planned.faults.of(FaultGroup::Order).map(|fault| fault.kind) {
            Some(FaultKind::Duplicate) => (planned.clone(), "again"),
            Some(FaultKind::Stale) => {
                (self.first.clone().unwrap_or_else(|| planned.clone()), "stale")
            }
            _ => return vec![planned],
        };
        let (step, at) = (planned.step, planned.at);
        let again = PlannedDelivery { id: format!("{}.{suffix}", planned.id), step, at, ..again };
        let again = PlannedDelivery { faults: planned.faults.clone(), ..again };
        planned.faults.0.retain(|fault| fault.kind.group() != FaultGroup::Order);
        vec![planned, again]
    }

    /// The faults of a delivery: its step's, or else the script's, or that it is held with others.
    fn faults(&self, id: &str, own: Faults) -> Faults {
        let everywhere = &self.plan.script.faults;
        let mut faults = own;
        if faults.is_empty() {
            let one_in = everywhere.one_in.unwrap_or(1);
            if one_in <= 1 || self.seeds.rng(id).random_range(0..one_in) == 0 {
                faults = everywhere.faults.clone();
            }
        }
        if let Some(first) = self.held.1.first()
            && faults.of(FaultGroup::Order).is_none()
        {
            faults.0.extend(first.faults.of(FaultGroup::Order).cloned());
        }
        faults
    }

    /// Takes a delivery; gives what goes out now.
    pub(super) fn put(&mut self, planned: PlannedDelivery) -> Vec<PlannedDelivery> {
        let fault = planned.faults.of(FaultGroup::Order).cloned();
        let Some(Fault { kind, amount, .. }) = fault else { return self.with_reordered(planned) };
        match kind {
            FaultKind::Drop => {}
            FaultKind::Delay => {
                let at = planned.at.checked_add(amount.time().unwrap_or_default());
                self.delay(at.unwrap_or(Timestamp::MAX), planned);
            }
            FaultKind::Reorder if self.reordered.is_empty() => self.reordered.push(planned),
            FaultKind::Straggler => self.stragglers.push(planned),
            FaultKind::Hold => {
                let (wanted, held) = &mut self.held;
                if held.is_empty() {
                    *wanted = amount.number();
                }
                let at = planned.at;
                held.push(planned);
                if held.len() >= *wanted {
                    return leaving(at, std::mem::take(held));
                }
            }
            _ => return self.with_reordered(planned),
        }
        Vec::new()
    }

    fn with_reordered(&mut self, planned: PlannedDelivery) -> Vec<PlannedDelivery> {
        let behind = leaving(planned.at, std::mem::take(&mut self.reordered));
        [planned].into_iter().chain(behind).collect()
    }

    fn delay(&mut self, at: Timestamp, planned: PlannedDelivery) {
        self.delayed.insert((at, planned.id.clone()), planned);
    }

    /// What was delayed and is due by this time: the earliest of it, and when.
    pub(super) fn due(&mut self, by: Timestamp) -> Option<(Timestamp, PlannedDelivery)> {
        let first = self.delayed.first_entry().filter(|first| first.key().0 <= by)?;
        let ((at, _), planned) = first.remove_entry();
        Some((at, PlannedDelivery { at, ..planned }))
    }

    /// The conversation has ended: gives what still waited for others. What is late is due later.
    pub(super) fn end(&mut self, now: Timestamp) -> Vec<PlannedDelivery> {
        let last = self.delayed.last_key_value().map_or(now, |((at, _), _)| now.max(*at));
        for planned in std::mem::take(&mut self.stragglers) {
            let late = LATE.sample(&mut self.seeds.rng(&format!("straggler {}", planned.id)));
            self.delay(last.checked_add(late).unwrap_or(Timestamp::MAX), planned);
        }
        let mut rest = std::mem::take(&mut self.reordered);
        rest.append(&mut self.held.1);
        leaving(now, rest)
    }
}

/// Deliveries that were held back and are due now.
fn leaving(at: Timestamp, planned: Vec<PlannedDelivery>) -> Vec<PlannedDelivery> {
    planned.into_iter().map(|planned| PlannedDelivery { at, ..planned }).collect()
}

impl PlannedDelivery {
    /// A payload of this step and time; only its type where nobody subscribed to it.
    pub(super) fn of(
        payload: Payload,
        step: usize,
        at: Timestamp,
        faults: &Faults,
    ) -> Result<Self, String> {
        let Some(body) = payload.body else { return Err(payload.event_type) };
        Ok(Self {
            id: String::new(),
            step,
            at,
            event_type: payload.event_type,
            certainty: payload.certainty.to_string(),
            body: body.into(),
            faults: faults.clone(),
        })
    }

    /// That it is to be sent.
    pub(super) fn planned(&self) -> RecordKind {
        RecordKind::DeliveryPlanned {
            delivery: self.id.clone(),
            event_type: self.event_type.clone(),
            certainty: self.certainty.clone(),
            faults: self.faults.clone(),
            body: Arc::clone(&self.body),
        }
    }

    /// How it ended, where it is not sent at all.
    pub(super) fn dropped(&self, source: Option<SourceLine>) -> SettledDelivery {
        SettledDelivery {
            delivery: self.id.clone(),
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
    pub(super) fn headers(&self, plan: &RunPlan) -> Vec<(String, String)> {
        plan.account.headers_with(&self.body, 1, &self.faults)
    }

    /// The endpoint that it goes to, dressed as its faults want.
    pub(super) fn endpoint(&self, plan: &Arc<RunPlan>, usual: &Arc<Endpoint>) -> Arc<Endpoint> {
        if self.faults.of(FaultGroup::Token).is_none() && !self.faults.has(FaultKind::Charset) {
            return Arc::clone(usual);
        }
        let (plan, faults) = (Arc::clone(plan), self.faults.clone());
        let dress: RequestSigner = Arc::new(move |body, attempt| {
            let own = plan.account.headers_with(body, attempt, &faults);
            [own, plan.extra_headers()].concat()
        });
        Arc::new(Endpoint { signer: dress, ..Endpoint::clone(usual) })
    }

    /// How it is treated: what no receiver has to accept is sent once and holds up nothing, and
    /// trying again what was accepted holds up its conversation only.
    pub(super) fn policy(&self, usual: &Arc<Policy>) -> Arc<Policy> {
        let usual = Arc::clone(usual);
        if matches!(self.faults.expects(1), ExpectedReaction::NoCrash | ExpectedReaction::Refusal) {
            let (retry, blocks, disable) = (Retry::None, Blocks::Nothing, Disable::default());
            return Arc::new(Policy { retry, blocks, disable, ..Policy::clone(&usual) });
        }
        if self.faults.has(FaultKind::Retry) {
            return Arc::new(Policy { blocks: Blocks::Conversation, ..Policy::clone(&usual) });
        }
        usual
    }
}
