//! The outbox of a conversation: its deliveries, the ones that faults add, and the ones that faults
//! delay. It has no clock; the host asks what is due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;

use super::planned_delivery::PlannedDelivery;
use crate::base::duration::DurationRange;
use crate::base::seed::SeedScope;
use crate::fault::{Fault, FaultGroup, FaultKind, Faults};
use crate::platform::{Account, FaultInjector, Payload};
use crate::scenario::Script;

/// How long after the last delivery of its conversation a straggler is sent.
const LATE: DurationRange =
    DurationRange { low: SignedDuration::from_secs(1), high: SignedDuration::from_secs(10) };

/// The outgoing deliveries of one conversation.
pub struct Outbox {
    faults: Arc<FaultSource>,
    conversation: u32,
    numbered: u32,
    // Boxed to save memory: thousands of conversations wait at once, mostly without faults.
    fault_state: Option<Box<FaultState>>,
}

/// Where the faults of deliveries come from. All conversations of a run share it.
pub struct FaultSource {
    /// The script, whose faults apply to the deliveries.
    script: Arc<Script>,
    account: Arc<Account>,
    seeds: SeedScope,
    /// Whether a fault of the script changes the order of deliveries.
    changes_order: bool,
    /// Faults that somebody has turned on. Steps with faults of their own keep these.
    live: Mutex<Faults>,
}

/// What faults need to know of earlier deliveries, and the deliveries that they hold back.
#[derive(Default)]
struct FaultState {
    /// The first delivery, for faults that repeat it.
    first: Option<PlannedDelivery>,
    /// Endpoints, by index, that get the next delivery without its faults first.
    controls: BTreeSet<usize>,
    /// Deliveries to send after the next one.
    reordered: Vec<PlannedDelivery>,
    /// Deliveries to send together, once there are `held_size`.
    held: Vec<PlannedDelivery>,
    held_size: usize,
    /// Deliveries to send later, by run time and id.
    delayed: BTreeMap<(Timestamp, String), PlannedDelivery>,
    stragglers: Vec<PlannedDelivery>,
}

impl FaultSource {
    /// The faults of a script. Those of its deliveries are selected by `seeds`, the scope of the run.
    pub fn new(script: &Arc<Script>, account: &Arc<Account>, seeds: &SeedScope) -> Arc<Self> {
        let (script, account) = (Arc::clone(script), Arc::clone(account));
        let changes_order = script.has_faults(FaultGroup::Order);
        let (seeds, live) = (seeds.within("faults"), Mutex::default());
        Arc::new(Self { script, account, seeds, changes_order, live })
    }

    /// Gives the deliveries these faults from now on; none if it is empty.
    pub(super) fn set_live(&self, faults: Faults) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    fn live(&self) -> Faults {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Outbox {
    /// Creates the outbox of a conversation.
    pub fn new(faults: &Arc<FaultSource>, conversation: u32) -> Self {
        Self { faults: Arc::clone(faults), conversation, numbered: 0, fault_state: None }
    }

    /// Sends these endpoints, by index, their first delivery without its faults before the one with
    /// them.
    #[must_use]
    pub fn with_controls(mut self, controls: BTreeSet<usize>) -> Self {
        if !controls.is_empty() {
            self.fault_state().controls = controls;
        }
        self
    }

    /// Plans the deliveries of a payload: one for each endpoint, each with its id and its faults
    /// (those of its step, or else those of the script), and the extra deliveries that a fault such
    /// as `duplicate` adds.
    pub fn plan(
        &mut self,
        payload: Payload,
        step: Option<usize>,
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
                control: false,
                event: payload.event.clone(),
            }));
        }
        all
    }

    fn plan_one(&mut self, planned: PlannedDelivery) -> Vec<PlannedDelivery> {
        self.numbered += 1;
        // Unique within the run, and the same in every run: a journal refers to it.
        let id = format!("{}-{}", self.conversation, self.numbered);
        let faults = self.faults_of(&id, planned.faults.clone());
        let control = self.control(&id, &planned, &faults);
        let mut planned = PlannedDelivery { id, faults, ..planned };
        if !planned.faults.is_empty() {
            let FaultSource { account, seeds, .. } = &*self.faults;
            let injector = FaultInjector::of(account);
            planned.body = injector.body(&planned.body, &planned.faults, seeds, &planned.id).into();
        }
        // Kept only if an order fault may need it: thousands of conversations wait at once.
        if self.faults.changes_order {
            self.fault_state().first.get_or_insert_with(|| planned.clone());
        }
        let (again, suffix) = match planned.faults.of(FaultGroup::Order).map(|fault| fault.kind) {
            Some(FaultKind::Duplicate) => (planned.clone(), "again"),
            Some(FaultKind::Stale) => {
                let first = self.fault_state.as_ref().and_then(|state| state.first.as_ref());
                (first.unwrap_or(&planned).clone(), "stale")
            }
            _ => return control.into_iter().chain([planned]).collect(),
        };
        let PlannedDelivery { step, at, endpoint, .. } = planned;
        let again =
            PlannedDelivery { id: format!("{}.{suffix}", planned.id), step, at, endpoint, ..again };
        let again = PlannedDelivery { faults: planned.faults.clone(), ..again };
        planned.faults.0.retain(|fault| fault.kind.group() != FaultGroup::Order);
        control.into_iter().chain([planned, again]).collect()
    }

    /// The control before a delivery, if its endpoint needs one. A delivery that is dropped has none.
    fn control(
        &mut self,
        id: &str,
        planned: &PlannedDelivery,
        faults: &Faults,
    ) -> Option<PlannedDelivery> {
        let controls = self.fault_state.as_mut().map(|state| &mut state.controls);
        let is_due = !faults.has(FaultKind::Drop)
            && controls.is_some_and(|controls| controls.remove(&planned.endpoint));
        let id = format!("{id}.control");
        is_due.then(|| PlannedDelivery {
            id,
            faults: Faults::default(),
            control: true,
            ..planned.clone()
        })
    }

    /// The faults of a delivery: those of its step, or else those of the script. While a `hold` is
    /// open, the delivery joins it.
    fn faults_of(&self, id: &str, own: Faults) -> Faults {
        let FaultSource { script, seeds, .. } = &*self.faults;
        let defaults = &script.faults;
        let mut faults = if own.is_empty() { self.faults.live() } else { own };
        if faults.is_empty() {
            let one_in = defaults.one_in.unwrap_or(1);
            if one_in <= 1 || seeds.rng(id).random_range(0..one_in) == 0 {
                faults = defaults.faults.clone();
            }
        }
        if let Some(first) = self.fault_state.as_ref().and_then(|state| state.held.first())
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
            FaultKind::Reorder if self.fault_state().reordered.is_empty() => {
                self.fault_state().reordered.push(planned);
            }
            FaultKind::Straggler => self.fault_state().stragglers.push(planned),
            FaultKind::Hold => {
                let FaultState { held, held_size, .. } = self.fault_state();
                if held.is_empty() {
                    *held_size = amount.number();
                }
                let at = planned.at;
                held.push(planned);
                if held.len() >= *held_size {
                    return released(at, std::mem::take(held));
                }
            }
            _ => return self.with_reordered(planned),
        }
        Vec::new()
    }

    fn fault_state(&mut self) -> &mut FaultState {
        self.fault_state.get_or_insert_default()
    }

    fn with_reordered(&mut self, planned: PlannedDelivery) -> Vec<PlannedDelivery> {
        let reordered = self.fault_state.as_mut().map(|state| &mut state.reordered);
        let behind = reordered.map(std::mem::take).unwrap_or_default();
        let behind = released(planned.at, behind);
        [planned].into_iter().chain(behind).collect()
    }

    fn delay(&mut self, at: Timestamp, planned: PlannedDelivery) {
        self.fault_state().delayed.insert((at, planned.id.clone()), planned);
    }

    /// The earliest delayed delivery that is due by this time.
    pub(super) fn due(&mut self, by: Timestamp) -> Option<PlannedDelivery> {
        let delayed = &mut self.fault_state.as_mut()?.delayed;
        let first = delayed.first_entry().filter(|first| first.key().0 <= by)?;
        let ((at, _), planned) = first.remove_entry();
        Some(PlannedDelivery { at, ..planned })
    }

    /// The run time of the earliest delayed delivery.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.fault_state.as_ref()?.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    /// Returns whether a delivery of a step, or of any step, is delayed.
    pub(super) fn delays(&self, step: Option<usize>) -> bool {
        let delayed = self.fault_state.iter().flat_map(|state| state.delayed.values());
        delayed.into_iter().any(|planned| step.is_none() || planned.step == step)
    }

    /// Ends the conversation: returns the deliveries that still wait for others. Stragglers become
    /// due after all others.
    pub(super) fn end(&mut self, now: Timestamp) -> Vec<PlannedDelivery> {
        let Some(state) = &mut self.fault_state else { return Vec::new() };
        let last = state.delayed.last_key_value();
        let last = last.map_or(now, |((at, _), _)| now.max(*at));
        // No further delivery comes that they could follow, but all must be sent.
        let mut rest = std::mem::take(&mut state.reordered);
        rest.append(&mut state.held);
        let stragglers = std::mem::take(&mut state.stragglers);
        for planned in stragglers {
            let mut rng = self.faults.seeds.rng(&format!("straggler {}", planned.id));
            let late = LATE.sample(&mut rng);
            self.delay(last.checked_add(late).unwrap_or(Timestamp::MAX), planned);
        }
        released(now, rest)
    }
}

/// Deliveries that were held back, due now.
fn released(at: Timestamp, planned: Vec<PlannedDelivery>) -> Vec<PlannedDelivery> {
    planned.into_iter().map(|planned| PlannedDelivery { at, ..planned }).collect()
}
