//! Plays one conversation: acts in time, payloads to the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::RunPlan;
use super::describe::summarize;
use super::outbox::{Outbox, PlannedDelivery};
use crate::conversation::Conversation;
use crate::delivery::{Delivery, DriverHandle, Endpoint};
use crate::fault::{FaultKind, Faults};
use crate::platform::{ActionResult, Payload};
use crate::policy::Policy;
use crate::record::{RecordKind, RecordScope, Recorder};
use crate::scenario::{ScriptState, SharedStaff, StepOutcome, StepOutput};

/// What a conversation is played with.
pub(super) struct ConversationPlayer {
    pub(super) plan: Arc<RunPlan>,
    pub(super) endpoint: Arc<Endpoint>,
    /// How deliveries are treated, by event type.
    pub(super) policies: Arc<BTreeMap<String, Arc<Policy>>>,
    pub(super) handle: DriverHandle,
    pub(super) recorder: Recorder,
    pub(super) staff: Arc<SharedStaff>,
}

/// What a turn is told as, and what it sends.
fn records_of(
    outcome: StepOutcome,
    conversation: &Conversation,
) -> (Vec<RecordKind>, Vec<Payload>) {
    match outcome {
        StepOutcome::Done { action, implied, happened } => {
            let ActionResult { event, payloads, silent } = *happened;
            let told = summarize(&action, &event, conversation);
            let what = if implied {
                RecordKind::ActionImplied(told)
            } else {
                RecordKind::ActionDone(told)
            };
            let event = event.kind.to_string();
            let silent = silent.map(|reason| RecordKind::ActionSilent { event, reason });
            (std::iter::once(what).chain(silent).collect(), payloads)
        }
        StepOutcome::Skipped { action, reason } => {
            (vec![RecordKind::ActionSkipped { action: action.to_owned(), reason }], Vec::new())
        }
        StepOutcome::Dropped { action, reason } => {
            (vec![RecordKind::ActionDropped { action: action.to_owned(), reason }], Vec::new())
        }
    }
}

/// Where a scene happens: conversation, step and time.
#[derive(Clone, Copy)]
struct StepRef {
    number: u32,
    step: usize,
    at: Timestamp,
}

impl ConversationPlayer {
    /// Plays the conversation of this number to its end.
    pub(super) async fn play(self, number: u32) {
        let plan = Arc::clone(&self.plan);
        let cast = (&*self.staff, number);
        let mut state = ScriptState::new(&plan.script, &plan.account, &plan.subscription, cast);
        let mut outbox = Outbox::new(&plan, number);
        let mut now = plan.start;
        while let Some(StepOutput { step, at, faults, outcome }) = state.next() {
            let spot = StepRef { number, step, at };
            // Thousands wait here at once: only what is told and sent is kept meanwhile, and the
            // rest of this future is made when it is needed.
            let (told, payloads) = records_of(outcome, state.conversation());
            self.send_due(&mut outbox, number, at).await;
            // What came before has settled by then, so that the report tells it first.
            self.handle.sleep_until(number, at).await;
            now = at;
            Box::pin(self.happen(told, payloads, spot, (&faults, &mut outbox))).await;
        }
        self.send(outbox.end(now), number);
        self.send_due(&mut outbox, number, Timestamp::MAX).await;
        self.handle.drain(number).await;
    }

    /// Tells what happens and sends what it causes.
    async fn happen(
        &self,
        told: Vec<RecordKind>,
        payloads: Vec<Payload>,
        spot: StepRef,
        (faults, outbox): (&Faults, &mut Outbox<'_>),
    ) {
        for what in told {
            self.tell(spot, what).await;
        }
        for payload in payloads {
            let planned = match PlannedDelivery::of(payload, (spot.step, spot.at), faults) {
                Ok(planned) => planned,
                Err(event_type) => {
                    self.tell(spot, RecordKind::DeliveryUnsubscribed { event_type }).await;
                    continue;
                }
            };
            for planned in outbox.planned(planned) {
                self.tell(spot, planned.planned()).await;
                if planned.faults.has(FaultKind::Drop) {
                    self.tell(spot, RecordKind::DeliverySettled(planned.dropped())).await;
                }
                self.send(outbox.put(planned), spot.number);
            }
        }
    }

    /// Sends what was delayed until its time comes, as far as that is before this.
    async fn send_due(&self, outbox: &mut Outbox<'_>, conversation: u32, before: Timestamp) {
        while let Some((at, planned)) = outbox.due(before) {
            self.handle.sleep_until(conversation, at).await;
            self.send(vec![planned], conversation);
        }
    }

    /// Hands deliveries to the engine.
    fn send(&self, planned: Vec<PlannedDelivery>, conversation: u32) {
        for planned in planned {
            self.handle.submit(Delivery {
                conversation,
                policy: planned.policy(&self.policy(&planned.event_type)),
                endpoint: planned.endpoint(&self.plan, &self.endpoint),
                id: planned.id,
                step: planned.step,
                event_type: planned.event_type,
                body: planned.body,
                at: planned.at,
                faults: planned.faults,
            });
        }
    }

    /// How deliveries of an event type are treated.
    fn policy(&self, event_type: &str) -> Arc<Policy> {
        let known = self.policies.get(event_type).cloned();
        known.unwrap_or_else(|| Arc::new(self.plan.account.policy(event_type)))
    }

    fn tell(&self, spot: StepRef, what: RecordKind) -> impl Future<Output = ()> + Send {
        let scope =
            RecordScope { at: spot.at, conversation: Some(spot.number), step: Some(spot.step) };
        self.recorder.append(scope, what)
    }
}
