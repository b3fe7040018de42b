//! The router: turns what happened in a conversation into records, and into deliveries to every
//! endpoint with a subscription to the event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use jiff::Timestamp;

use super::actor::{StepOutcome, StepOutput};
use super::describe::summarize;
use super::endpoint::LiveEndpoint;
use super::expectation::{PendingExpectation, await_call, await_response};
use super::outbox::Outbox;
use super::planned_delivery::PlannedDelivery;
use super::scripted_run::LiveRun;
use crate::base::redact::Redactor;
use crate::conversation::Conversation;
use crate::delivery::{ConversationKey, Delivery, HostCommand};
use crate::fault::{FaultKind, Faults};
use crate::platform::{Account, ActionResult, Payload, Subscription};
use crate::policy::Policy;
use crate::record::{EndpointSubscription, ExpectationResult, RecordKind, RecordScope, SourceLine};
use crate::scenario::Expectation;

/// The endpoints of an account and how the vendor delivers to them.
pub(super) struct Routes {
    pub(super) account: Arc<Account>,
    pub(super) endpoints: Vec<LiveEndpoint>,
    /// The subscriptions of the endpoints, in the same order.
    pub(super) subscriptions: Vec<Subscription>,
    /// The delivery policies, by event type.
    pub(super) policies: BTreeMap<String, Arc<Policy>>,
    /// Secrets of subscriptions and tokens that calls have made. They belong to all runs.
    pub(super) redactor: Redactor,
    /// Increases when a subscription changes.
    pub(super) version: u64,
    /// The highest number of an endpoint.
    pub(super) numbers: Arc<AtomicU32>,
}

impl Routes {
    /// The subscriptions, as a record shows them.
    fn facts(&self) -> Vec<EndpointSubscription> {
        let all = self.endpoints.iter().zip(&self.subscriptions);
        let fact = |(endpoint, subscription): (&LiveEndpoint, &Subscription)| {
            EndpointSubscription { endpoint: endpoint.plan.number, events: subscription.patterns() }
        };
        all.map(fact).collect()
    }
}

/// Routes what happens in one conversation.
pub(super) struct Router<'a> {
    routes: &'a Routes,
    run: &'a LiveRun,
    pub(super) conversation: ConversationKey,
    pub(super) commands: Vec<HostCommand>,
    /// The expectation that the script waits for.
    pub(super) expectation: Option<Box<PendingExpectation>>,
}

impl<'a> Router<'a> {
    pub(super) fn new(routes: &'a Routes, run: &'a LiveRun, conversation: ConversationKey) -> Self {
        let mut router =
            Self { routes, run, conversation, commands: Vec::new(), expectation: None };
        // What happens next depends on the subscriptions, so that a journal must have them before.
        if run.plan.is_resumable && run.known_routes.replace(routes.version) != routes.version {
            let scope = RecordScope { at: run.plan.start, conversation: None, step: None };
            router.record(scope, RecordKind::EndpointsChanged { endpoints: routes.facts() });
        }
        router
    }

    /// The subscriptions of the endpoints.
    pub(super) fn subscriptions(&self) -> &'a [Subscription] {
        &self.routes.subscriptions
    }

    /// Routes an output. `state` is the conversation after it.
    pub(super) fn route(&mut self, output: StepOutput, state: &Conversation, outbox: &mut Outbox) {
        let StepOutput { step, at, faults, outcome } = output;
        let scope = RecordScope { at, conversation: Some(self.conversation.number), step };
        match outcome {
            StepOutcome::Done { action, implied, result } => {
                let summary = summarize(&action, &result, state);
                let ActionResult { event, payloads, silent, .. } = *result;
                let done = if implied {
                    RecordKind::ActionImplied(summary)
                } else {
                    RecordKind::ActionDone(summary)
                };
                self.record(scope, done);
                if let Some(reason) = silent {
                    let event = event.kind.to_string();
                    self.record(scope, RecordKind::ActionSilent { event, reason });
                }
                let subscribed = |payload: &Payload| !payload.endpoints.is_empty();
                for payload in payloads.into_iter().filter(subscribed) {
                    self.plan(scope, payload, &faults, outbox);
                }
            }
            StepOutcome::Skipped { action, reason } => {
                let action = action.to_owned();
                self.record(scope, RecordKind::ActionSkipped { action, reason });
            }
            StepOutcome::Expected(expectation) => self.expect(scope, *expectation),
            StepOutcome::Dropped { action, reason, .. } => {
                let (action, source) = (action.to_owned(), self.source(step));
                self.record(scope, RecordKind::ActionDropped { action, reason, source });
            }
        }
    }

    /// Plans the deliveries of a payload, and submits those that are due.
    fn plan(&mut self, scope: RecordScope, payload: Payload, faults: &Faults, outbox: &mut Outbox) {
        for planned in outbox.plan(payload, scope.step, scope.at, faults) {
            let endpoint = self.routes.endpoints[planned.endpoint].plan.number;
            self.record(scope, planned.planned(endpoint));
            if planned.faults.has(FaultKind::Drop) {
                let dropped = planned.dropped(endpoint, self.source(scope.step));
                self.record(scope, RecordKind::DeliverySettled(dropped));
            }
            let due = outbox.put(planned);
            self.submit(due);
        }
    }

    /// Requires something of the receiver. The path of a request belongs to the first endpoint.
    fn expect(&mut self, scope: RecordScope, expectation: Expectation) {
        let (awaited, call) = match expectation {
            Expectation::Request(request) => {
                let receiver = self.routes.endpoints.first().map(|endpoint| &endpoint.plan);
                (await_response(self.conversation, scope, request, receiver), None)
            }
            Expectation::Call(call) => {
                let (awaited, call) = await_call(self.conversation, scope, call);
                (awaited, Some(call))
            }
        };
        let (request, source) = (awaited.facts.clone(), self.source(scope.step));
        let pending = PendingExpectation { scope, request, source, call };
        self.expectation = Some(Box::new(pending));
        self.commands.push(HostCommand::Expect(Box::new(awaited)));
    }

    /// Records the result of an expectation.
    pub(super) fn settle(
        &mut self,
        pending: PendingExpectation,
        result: &ExpectationResult,
        now: Timestamp,
    ) {
        let scope = RecordScope { at: now.max(pending.scope.at), ..pending.scope };
        self.record(scope, RecordKind::ExpectationFinished(pending.settled(result)));
    }

    /// Hands deliveries to the delivery engine.
    pub(super) fn submit(&mut self, planned: impl IntoIterator<Item = PlannedDelivery>) {
        for planned in planned {
            let delivery = Box::new(self.delivery(planned));
            self.commands.push(HostCommand::Submit(delivery));
        }
    }

    fn delivery(&self, planned: PlannedDelivery) -> Delivery {
        let (routes, earlier) = (self.routes, self.run.earlier.as_deref());
        let policies = earlier.map_or(&routes.policies, |earlier| &earlier.policies);
        let known = policies.get(&planned.event_type).cloned();
        let policy =
            known.unwrap_or_else(|| Arc::new(self.run.account.policy(&planned.event_type)));
        let endpoint = earlier.and_then(|earlier| earlier.endpoints.get(planned.endpoint));
        let endpoint = endpoint.unwrap_or(&routes.endpoints[planned.endpoint]);
        Delivery {
            conversation: self.conversation,
            policy: planned.policy(&policy),
            endpoint: planned.endpoint(endpoint),
            source: self.source(planned.step),
            id: planned.id,
            step: planned.step,
            event_type: planned.event_type,
            body: planned.body,
            at: planned.at,
            faults: planned.faults,
            check: self.run.check(planned.step),
            seeds: self.run.seeds.clone(),
        }
    }

    /// The line of a step of the script.
    fn source(&self, step: Option<usize>) -> Option<SourceLine> {
        self.run.plan.lines.get(&step?).cloned()
    }

    pub(super) fn record(&mut self, scope: RecordScope, kind: RecordKind) {
        let run = self.conversation.run;
        self.commands.push(HostCommand::Record(run, scope, Box::new(kind)));
    }
}
