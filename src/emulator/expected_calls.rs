//! Passes calls of the receiver to the conversations whose scripts expect them.

use super::call_inbox::{KeptCall, KeptCalls};
use super::call_work::{CallStop, CallWork};
use super::host::AccountHost;
use super::incoming::SentResponse;
use super::live_conversation::LiveConversation;
use crate::delivery::{ConversationKey, HostCommand, RunTimes};
use crate::record::{ExpectationResult, RecordKind, RecordScope, SourceLine};
use crate::scenario::{CallExpectation, ReactionActions};

impl AccountHost {
    /// Keeps a call for the scripts that can expect it. Returns the run whose script has taken a call
    /// that is in no conversation of a script.
    pub(super) fn note_call(
        &mut self,
        call: KeptCall,
        conversation: Option<ConversationKey>,
    ) -> Option<u32> {
        let live = conversation.and_then(|key| Some((key, self.conversations.get_mut(&key)?)));
        // Scripts of other conversations do not expect the calls in one that has its own script.
        if let Some((key, live)) = live.filter(|(_, live)| live.actor.has_script()) {
            let inbox = live.inbox.as_mut()?;
            if live.actor.has_reactions() {
                inbox.push_reacting(call.clone());
            }
            inbox.push(call);
            self.take_kept_call(key);
            return None;
        }
        if !self.runs.values().any(|run| run.expects_calls) {
            return None;
        }
        self.calls_outside.push(call);
        let is_waiting = |key: &ConversationKey| {
            self.conversations.get(key).is_some_and(|live| live.awaits_call())
        };
        let mut waiting: Vec<_> = self.conversations.keys().copied().filter(is_waiting).collect();
        // The oldest run comes first.
        waiting.sort();
        waiting.into_iter().find(|key| self.take_kept_call(*key)).map(|key| key.run)
    }

    /// Returns whether a call belongs to a conversation, or a script waits for it.
    pub(super) fn knows(&self, work: &CallWork, stopped: Option<&CallStop>) -> bool {
        if work.conversation.as_ref().is_some_and(|known| !known.is_new) {
            return true;
        }
        let status = match stopped {
            None | Some(CallStop::Shake(_)) => 200,
            Some(CallStop::Fail(error)) => work.respond_to(error).status,
            Some(CallStop::Respond(response, _)) => response.status,
        };
        let call = work.kept(status);
        self.conversations.values().any(|live| live.accepts_call(&call))
    }

    /// Returns the conversation of a script that expects to be opened by a call: that of the oldest run,
    /// and of the lowest number.
    pub(super) fn conversation_to_open(&self, work: &CallWork) -> Option<ConversationKey> {
        if !self.runs.values().any(|run| run.expects_calls) {
            return None;
        }
        let call = work.kept(200);
        let expects = |live: &LiveConversation| {
            let expected = live.inbox.as_ref().and_then(|_| live.actor.opening());
            expected
                .is_some_and(|expected| expected.mismatches(&call.record, &call.names).is_empty())
        };
        let all = self.conversations.iter().filter(|(_, live)| expects(live));
        all.map(|(key, _)| *key).min()
    }

    /// Lets a conversation take the call that it waits for, if the call has come. Returns whether it has.
    pub(super) fn take_kept_call(&mut self, key: ConversationKey) -> bool {
        let before_run = self.runs.get(&key.run).map_or(0, |run| run.calls_before);
        let Some(live) = self.conversations.get_mut(&key) else { return false };
        let shared = &mut self.calls_outside;
        let Some((awaited, own)) = live.awaited_call() else { return false };
        awaited.take(&mut KeptCalls { own, shared, before_run })
    }

    /// Returns the result of an expectation that has ended. `waited` is that of the driver.
    pub(super) fn result_of(
        &mut self,
        key: ConversationKey,
        waited: ExpectationResult,
    ) -> ExpectationResult {
        let before_run = self.runs.get(&key.run).map_or(0, |run| run.calls_before);
        let shared = &mut self.calls_outside;
        let awaited = self.conversations.get_mut(&key).and_then(|live| live.awaited_call());
        match awaited {
            // With mismatches, the driver could not wait.
            Some((awaited, own)) if waited.mismatches.is_empty() => {
                awaited.result(waited.waited_ms, &KeptCalls { own, shared, before_run })
            }
            _ => waited,
        }
    }

    /// Returns what the script of the call's conversation, or one that waits for the call, responds to it.
    pub(super) fn scripted_response(&self, work: &CallWork) -> Option<CallExpectation> {
        if !self.runs.values().any(|run| run.expects_calls) {
            return None;
        }
        let call = work.kept(200);
        if let Some(known) = work.conversation.as_ref().filter(|known| !known.is_new) {
            return known.live.response_for(&call);
        }
        let all = self.conversations.iter();
        let found = all.filter_map(|(key, live)| Some((*key, live.response_for(&call)?)));
        found.min_by_key(|(key, _)| *key).map(|(_, expectation)| expectation)
    }

    /// Performs the reactions of a script to a call.
    fn react(
        &mut self,
        key: ConversationKey,
        call: u64,
        times: &mut dyn RunTimes,
    ) -> Vec<HostCommand> {
        let mut commands = Vec::new();
        let Some(live) = self.conversations.get_mut(&key) else { return commands };
        let kept = live.inbox.as_mut().and_then(|inbox| inbox.take_reacting(call));
        let (Some(kept), Some(at)) = (kept, times.now(key)) else { return commands };
        let scope = RecordScope { at, conversation: Some(key.number), step: None };
        let record = |kind| HostCommand::Record(key.run, scope, Box::new(kind));
        for ReactionActions { span, actions } in live.actor.react(&kept.record, &kept.names) {
            let file = span.source.name.as_str().into();
            let source = Some(SourceLine { file, line: span.line_column().0 });
            commands.push(record(RecordKind::ReactionStarted { call, source: source.clone() }));
            let acted = actions.and_then(|actions| {
                self.act(key, &actions, times).map_err(|error| error.to_string())
            });
            match acted {
                Ok((_, more)) => commands.extend(more),
                Err(reason) => {
                    let action = "on".to_owned();
                    commands.push(record(RecordKind::ActionDropped { action, reason, source }));
                }
            }
        }
        commands
    }

    /// Notes that the response to a call was sent: its deliveries are sent, and the script that has
    /// waited for it continues.
    pub(super) fn response_sent(
        &mut self,
        sent: SentResponse,
        times: &mut dyn RunTimes,
    ) -> Vec<HostCommand> {
        let SentResponse { call, conversation, holds_deliveries, .. } = sent;
        let mut commands = Vec::new();
        if let Some(key) = conversation
            && let Some(live) = self.conversations.get_mut(&key)
        {
            if holds_deliveries {
                commands = live.release(call);
                commands.extend(live.next_command(key));
            }
            commands.extend(self.react(key, call, times));
            let live = self.conversations.get_mut(&key);
            if live.is_some_and(|live| live.note_response(call)) {
                return commands;
            }
        }
        if !self.calls_outside.note_response(call) {
            self.conversations.values_mut().any(|live| live.note_response(call));
        }
        commands
    }
}
