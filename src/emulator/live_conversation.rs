//! A conversation of a live account: its actor, what its script waits for, and its deliveries.

use std::sync::Arc;

use jiff::Timestamp;

use super::actor::{ConversationActor, ScriptWait, StepOutput};
use super::call_inbox::{AwaitedCall, CallInbox, KeptCall};
use super::expectation::PendingExpectation;
use super::outbox::Outbox;
use super::registry::Registry;
use super::router::Router;
use super::scripted_run::LiveRun;
use super::unsettled::UnsettledDeliveries;
use crate::delivery::{ConversationKey, HostCommand};
use crate::platform::Account;
use crate::scenario::{CallExpectation, ScriptInput};

/// A conversation with its outgoing deliveries.
pub(super) struct LiveConversation {
    pub(super) actor: ConversationActor,
    pub(super) outbox: Outbox,
    /// What its script waits for.
    pub(super) wait: ScriptWait,
    /// The deliveries that have not settled; `None` for a script that never waits for one.
    // Boxed to save memory: few scripts wait, and thousands of conversations sleep at once.
    pub(super) unsettled: Option<Box<UnsettledDeliveries>>,
    /// The expectation that it waits for.
    pub(super) expectation: Option<Box<PendingExpectation>>,
    /// The calls that its script can expect; `None` for a script that expects none.
    pub(super) inbox: Option<Box<CallInbox>>,
    /// The run time for which the driver was last asked to wake it.
    pub(super) wake_at: Option<Timestamp>,
    /// Whether its end was reported. Others may still act in it.
    pub(super) has_ended: bool,
    /// Whether all its deliveries had settled at its end, and nothing has happened since.
    pub(super) is_settled: bool,
    /// Deliveries that wait until the response to a call has been sent, by the number of the call.
    pub(super) held: Vec<HeldDelivery>,
}

/// A delivery that waits until the response to a call has been sent.
pub(super) struct HeldDelivery {
    /// Number of the call.
    call: u64,
    delivery: HostCommand,
}

impl LiveConversation {
    pub(super) fn of_script(run: &LiveRun, account: &Arc<Account>, number: u32) -> Self {
        let actor = ConversationActor::new(&run.plan.script, account, &run.staff, number);
        let has_script = actor.has_script();
        let conversation = Self::of_actor(actor, run, number);
        let outbox = conversation.outbox.with_controls(run.controls_of(number));
        let wait =
            if has_script { ScriptWait::Until(run.plan.start) } else { ScriptWait::Elsewhere(0) };
        let unsettled = run.plan.script.awaits_deliveries.then(Box::default);
        let inbox = run.expects_calls.then(Box::default);
        Self { outbox, wait, unsettled, inbox, ..conversation }
    }

    /// Creates a conversation in which nothing is due.
    pub(super) fn of_actor(actor: ConversationActor, run: &LiveRun, number: u32) -> Self {
        Self {
            actor,
            outbox: Outbox::new(&run.faults, number),
            wait: ScriptWait::Nothing,
            unsettled: None,
            expectation: None,
            inbox: None,
            wake_at: None,
            has_ended: false,
            is_settled: false,
            held: Vec::new(),
        }
    }

    /// Notes that something happens in the conversation. Returns true if it had ended.
    pub(super) fn reopen(&mut self) -> bool {
        if self.is_settled {
            self.has_ended = false;
        }
        std::mem::take(&mut self.is_settled)
    }

    /// Holds deliveries back until the response to a call has been sent.
    pub(super) fn hold(&mut self, call: u64, deliveries: Vec<HostCommand>) {
        self.held.extend(deliveries.into_iter().map(|delivery| HeldDelivery { call, delivery }));
    }

    /// Returns the deliveries that waited for the response to this call, or to one before it.
    pub(super) fn release(&mut self, call: u64) -> Vec<HostCommand> {
        let waiting = self.held.iter().take_while(|held| held.call <= call).count();
        self.held.drain(..waiting).map(|held| held.delivery).collect()
    }

    /// Returns whether its script waits for a call.
    pub(super) fn awaits_call(&self) -> bool {
        self.expectation.as_ref().is_some_and(|awaited| awaited.call.is_some())
    }

    /// Returns whether nothing follows before somebody else acts: the script has ended, waits for a call
    /// that has not come, or is in another conversation.
    pub(super) fn waits_for_others(&self) -> bool {
        let awaited = self.expectation.as_ref().and_then(|awaited| awaited.call.as_ref());
        let awaits_call = || awaited.is_some_and(|awaited| awaited.open_expectation().is_some());
        match self.wait {
            ScriptWait::Nothing | ScriptWait::Elsewhere(_) => true,
            ScriptWait::Expectation => awaits_call(),
            ScriptWait::Until(_) | ScriptWait::Deliveries(_) => false,
        }
    }

    /// Returns whether its script waits for this call.
    pub(super) fn accepts_call(&self, call: &KeptCall) -> bool {
        let awaited = self.expectation.as_ref().and_then(|awaited| awaited.call.as_ref());
        awaited.is_some_and(|awaited| awaited.accepts(call))
    }

    /// Returns what its script expects of this call, if the script responds to it.
    pub(super) fn response_for(&self, call: &KeptCall) -> Option<CallExpectation> {
        let inbox = self.inbox.as_ref()?;
        let awaited = self.expectation.as_ref().and_then(|awaited| awaited.call.as_ref());
        let expectation = match awaited {
            Some(awaited) => awaited.open_expectation().cloned(),
            None => self.actor.upcoming_call(),
        };
        let expectation =
            expectation.filter(|one| one.respond.is_some() && !inbox.has_response_of(one))?;
        expectation.is_about(&call.record, &call.names).then_some(expectation)
    }

    /// Returns the call that its script waits for, and the calls that have come.
    pub(super) fn awaited_call(&mut self) -> Option<(&mut AwaitedCall, &mut CallInbox)> {
        let awaited = self.expectation.as_mut()?.call.as_mut()?;
        Some((awaited, self.inbox.as_mut()?))
    }

    /// Notes that the response to a call was sent. Returns whether the call is known here.
    pub(super) fn note_response(&mut self, call: u64) -> bool {
        let awaited = self.expectation.as_mut().and_then(|awaited| awaited.call.as_mut());
        awaited.is_some_and(|awaited| awaited.note_response(call))
            || self.inbox.as_mut().is_some_and(|inbox| inbox.note_response(call))
    }

    /// Submits the deliveries that wait for others, if the script has ended.
    pub(super) fn end_outbox(&mut self, at: Timestamp, router: &mut Router<'_>) {
        if self.wait == ScriptWait::Nothing {
            // No delivery of the script follows that they could wait for.
            router.submit(self.outbox.end(at));
        }
    }

    /// Routes what happened in the conversation.
    pub(super) fn route(
        &mut self,
        outputs: Vec<StepOutput>,
        router: &mut Router<'_>,
        registry: &mut Registry,
    ) {
        let state = self.actor.conversation();
        for output in outputs {
            if output.opens_dialog() {
                registry.add(router.conversation, state);
            }
            router.route(output, state, &mut self.outbox);
        }
    }

    /// Submits the delayed deliveries that are due.
    pub(super) fn submit_due(&mut self, now: Timestamp, router: &mut Router<'_>) {
        while let Some(planned) = self.outbox.due(now) {
            router.submit([planned]);
        }
    }

    /// Continues the script, until it waits for something.
    pub(super) fn advance_script(
        &mut self,
        input: ScriptInput<'_>,
        router: &mut Router<'_>,
        registry: &mut Registry,
    ) {
        let (mut outputs, before) = (Vec::new(), router.commands.len());
        self.wait = self.actor.advance(input, router.subscriptions(), &mut outputs);
        self.route(outputs, router, registry);
        self.expectation = router.expectation.take();
        if let Some(unsettled) = &mut self.unsettled {
            unsettled.add(&router.commands[before..]);
        }
    }

    /// Returns whether every delivery of a step has settled. One that a fault holds back until
    /// another one is sent does not count.
    pub(super) fn has_settled(&self, step: Option<usize>) -> bool {
        let has_settled = |unsettled: &UnsettledDeliveries| unsettled.has_settled(step);
        let is_delayed = self.outbox.delays(step);
        self.unsettled.as_deref().is_none_or(has_settled) && !is_delayed
    }

    /// The run time at which the script continues.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.wait {
            ScriptWait::Until(at) => Some(at),
            ScriptWait::Deliveries(_)
            | ScriptWait::Expectation
            | ScriptWait::Elsewhere(_)
            | ScriptWait::Nothing => None,
        }
    }

    /// The run time at which something happens next.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due().into_iter().chain(self.outbox.next_due()).min()
    }

    /// Counts a delivery of a step that has settled.
    pub(super) fn settle_step(&mut self, step: usize) {
        if let Some(unsettled) = &mut self.unsettled {
            unsettled.remove(step);
        }
    }

    /// Asks the driver again to wake a conversation that was restored.
    pub(super) fn wake_again(&mut self, key: ConversationKey) -> Option<HostCommand> {
        (self.wake_at, self.has_ended) = (None, false);
        self.next_command(key)
    }

    /// Whether nothing follows that has not been handed to the driver.
    pub(super) fn is_over(&self) -> bool {
        self.wait == ScriptWait::Nothing && self.held.is_empty()
    }

    /// Asks the driver to wake the conversation when something happens next, or reports its end.
    pub(super) fn next_command(&mut self, key: ConversationKey) -> Option<HostCommand> {
        match self.next_due() {
            Some(at) if self.wake_at.is_none_or(|wake_at| at < wake_at) => {
                self.wake_at = Some(at);
                Some(HostCommand::WaitUntil(key, at))
            }
            None if self.is_over() && !self.has_ended => {
                self.has_ended = true;
                Some(HostCommand::End(key))
            }
            Some(_) | None => None,
        }
    }
}
