//! Plays one conversation: performs its actions in time, and hands their payloads to delivery.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::RunPlan;
use super::describe::summarize;
use super::outbox::{Outbox, PlannedDelivery};
use crate::conversation::Conversation;
use crate::delivery::{Delivery, DriverHandle, Endpoint, StatusCheck};
use crate::fault::{FaultKind, Faults};
use crate::platform::{ActionResult, Payload, Subscription};
use crate::policy::Policy;
use crate::record::{RecordKind, RecordLog, RecordScope, SourceLine};
use crate::scenario::{ScriptState, SharedStaff, StepOutcome, StepOutput};

/// What the conversations of a run are played with.
pub(super) struct ConversationPlayer {
    pub(super) plan: Arc<RunPlan>,
    pub(super) endpoints: Arc<[Arc<Endpoint>]>,
    /// The subscriptions of the endpoints, in the same order.
    pub(super) subscriptions: Arc<[Subscription]>,
    /// The delivery policies, by event type.
    pub(super) policies: Arc<BTreeMap<String, Arc<Policy>>>,
    /// Decides whether a delivery passed.
    pub(super) check: Arc<StatusCheck>,
    /// The lines of the script's steps, by number.
    pub(super) lines: Arc<BTreeMap<usize, SourceLine>>,
    pub(super) handle: DriverHandle,
    pub(super) log: RecordLog,
    pub(super) staff: Arc<SharedStaff>,
}

/// The records of a step's outcome, and the payloads to send.
fn records_of(
    outcome: StepOutcome,
    conversation: &Conversation,
    source: Option<&SourceLine>,
) -> (Vec<RecordKind>, Vec<Payload>) {
    match outcome {
        StepOutcome::Done { action, implied, result } => {
            let ActionResult { event, payloads, silent } = *result;
            let summary = summarize(&action, &event, conversation);
            let done = if implied {
                RecordKind::ActionImplied(summary)
            } else {
                RecordKind::ActionDone(summary)
            };
            let event = event.kind.to_string();
            let silent = silent.map(|reason| RecordKind::ActionSilent { event, reason });
            (std::iter::once(done).chain(silent).collect(), payloads)
        }
        StepOutcome::Skipped { action, reason } => {
            (vec![RecordKind::ActionSkipped { action: action.to_owned(), reason }], Vec::new())
        }
        StepOutcome::Dropped { action, reason } => {
            let (action, source) = (action.to_owned(), source.cloned());
            (vec![RecordKind::ActionDropped { action, reason, source }], Vec::new())
        }
    }
}

/// A step of a conversation, and the run time at which it happens.
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
        let (script, subscriptions) = (&plan.script, &self.subscriptions);
        let mut state = ScriptState::new(script, &plan.account, subscriptions, &self.staff, number);
        let mut outbox = Outbox::new(&plan, number);
        let mut now = plan.start;
        while let Some(StepOutput { step, at, faults, outcome }) = state.next() {
            let step = StepRef { number, step, at };
            let source = self.lines.get(&step.step);
            // Thousands of conversations wait here at once. Only the records and payloads are kept
            // meanwhile, and the future that handles them is allocated when it is needed.
            let (records, payloads) = records_of(outcome, state.conversation(), source);
            self.send_due(&mut outbox, number, at).await;
            // Earlier deliveries have settled by then, so a report shows them first.
            self.handle.sleep_until(number, at).await;
            now = at;
            Box::pin(self.perform(records, payloads, step, &faults, &mut outbox)).await;
        }
        self.send(outbox.end(now), number);
        self.send_due(&mut outbox, number, Timestamp::MAX).await;
        self.handle.drain(number).await;
    }

    /// Appends the records of an action, and sends its payloads.
    async fn perform(
        &self,
        records: Vec<RecordKind>,
        payloads: Vec<Payload>,
        step: StepRef,
        faults: &Faults,
        outbox: &mut Outbox<'_>,
    ) {
        for record in records {
            self.append(step, record).await;
        }
        for payload in payloads {
            if payload.endpoints.is_empty() {
                let event_type = payload.event_type;
                self.append(step, RecordKind::DeliveryUnsubscribed { event_type }).await;
                continue;
            }
            for planned in outbox.plan(payload, step.step, step.at, faults) {
                self.append(step, planned.planned(&self.plan)).await;
                if planned.faults.has(FaultKind::Drop) {
                    let source = self.lines.get(&planned.step).cloned();
                    self.append(
                        step,
                        RecordKind::DeliverySettled(planned.dropped(&self.plan, source)),
                    )
                    .await;
                }
                self.send(outbox.put(planned), step.number);
            }
        }
    }

    /// Sends each delayed delivery when its time comes, up to `before`.
    async fn send_due(&self, outbox: &mut Outbox<'_>, conversation: u32, before: Timestamp) {
        while let Some((at, planned)) = outbox.due(before) {
            self.handle.sleep_until(conversation, at).await;
            self.send(vec![planned], conversation);
        }
    }

    /// Hands deliveries to the delivery engine.
    fn send(&self, planned: Vec<PlannedDelivery>, conversation: u32) {
        for planned in planned {
            self.handle.submit(Delivery {
                conversation,
                policy: planned.policy(&self.policy(&planned.event_type)),
                endpoint: planned.endpoint(&self.plan, &self.endpoints),
                id: planned.id,
                step: planned.step,
                event_type: planned.event_type,
                body: planned.body,
                at: planned.at,
                faults: planned.faults,
                check: Arc::clone(&self.check),
                source: self.lines.get(&planned.step).cloned(),
            });
        }
    }

    /// The delivery policy of an event type.
    fn policy(&self, event_type: &str) -> Arc<Policy> {
        let known = self.policies.get(event_type).cloned();
        known.unwrap_or_else(|| Arc::new(self.plan.account.policy(event_type)))
    }

    fn append(&self, step: StepRef, kind: RecordKind) -> impl Future<Output = ()> + Send {
        let scope =
            RecordScope { at: step.at, conversation: Some(step.number), step: Some(step.step) };
        self.log.append(scope, kind)
    }
}
