//! Continues scripts. A script with several conversations goes from one to the next with its steps.

use jiff::Timestamp;

use super::actor::ScriptWait;
use super::host::AccountHost;
use super::router::Router;
use crate::delivery::{ConversationKey, HostCommand};
use crate::scenario::ScriptInput;

impl AccountHost {
    /// Continues the script that is in a conversation, until it waits for something that has not
    /// happened.
    pub(super) fn continue_script(
        &mut self,
        key: ConversationKey,
        input: ScriptInput<'_>,
        at: Timestamp,
    ) -> Vec<HostCommand> {
        let (mut key, mut input, mut commands) = (key, input, Vec::new());
        loop {
            let Some(run) = self.runs.get(&key.run) else { return commands };
            let Some(conversation) = self.conversations.get_mut(&key) else { return commands };
            let mut router = Router::new(&self.routes, run, key);
            conversation.advance_script(input, &mut router, &mut self.registry);
            commands.extend(router.commands);
            let wait = conversation.wait;
            match wait {
                ScriptWait::Deliveries(step) if self.have_settled(key, step) => {
                    input = ScriptInput::Settled(at);
                }
                ScriptWait::Elsewhere(index) => {
                    commands.extend(self.next_command(key));
                    let Some(next) = self.move_script(key, index) else { return commands };
                    (key, input) = (next, ScriptInput::Due);
                }
                ScriptWait::Nothing => {
                    commands.extend(self.end_script(key, at));
                    break;
                }
                ScriptWait::Until(_) | ScriptWait::Deliveries(_) | ScriptWait::Expectation => {
                    commands.extend(self.next_command(key));
                    break;
                }
            }
        }
        self.take_kept_call(key);
        commands.extend(self.complete_calls(at));
        commands
    }

    /// Returns the conversation in which the script of a conversation is.
    pub(super) fn script_holder(&self, key: ConversationKey) -> ConversationKey {
        let mut all = self.conversations_of_play(key);
        if all.len() == 1 {
            return key;
        }
        let has_script = |key: &ConversationKey| {
            self.conversations.get(key).is_some_and(|live| live.actor.has_script())
        };
        all.find(has_script).unwrap_or(key)
    }

    /// Returns whether every delivery of a step, or of all steps, has settled in all conversations of a
    /// script.
    pub(super) fn have_settled(&self, key: ConversationKey, step: Option<usize>) -> bool {
        self.conversations_of_play(key)
            .all(|key| self.conversations.get(&key).is_none_or(|live| live.has_settled(step)))
    }

    /// Returns the conversations that are played together with one, which is among them.
    fn conversations_of_play(
        &self,
        key: ConversationKey,
    ) -> impl ExactSizeIterator<Item = ConversationKey> + use<> {
        let ConversationKey { run, number } = key;
        let play = self.runs.get(&run).filter(|run| number <= run.scripted()).map(|run| {
            let count = run.plan.script.conversation_count();
            let first = number - (number - 1) % count;
            first..first + count
        });
        // One that a call has opened is alone.
        let numbers = play.unwrap_or(number..number + 1);
        numbers.map(move |number| ConversationKey { run, number })
    }

    /// Moves a script to the conversation of this index in its play. Returns that conversation.
    fn move_script(&mut self, from: ConversationKey, index: usize) -> Option<ConversationKey> {
        let to = self.conversations_of_play(from).nth(index)?;
        let script = self.conversations.get_mut(&from)?.actor.take_script()?;
        self.conversations.get_mut(&to)?.actor.give_script(script);
        Some(to)
    }

    /// Ends the conversations of a script that has ended.
    fn end_script(&mut self, key: ConversationKey, at: Timestamp) -> Vec<HostCommand> {
        let mut commands = Vec::new();
        let Some(run) = self.runs.get(&key.run) else { return commands };
        for key in self.conversations_of_play(key) {
            let Some(conversation) = self.conversations.get_mut(&key) else { continue };
            let mut router = Router::new(&self.routes, run, key);
            conversation.wait = ScriptWait::Nothing;
            conversation.end_outbox(at, &mut router);
            commands.extend(router.commands);
            commands.extend(conversation.next_command(key));
        }
        commands
    }

    fn next_command(&mut self, key: ConversationKey) -> Option<HostCommand> {
        self.conversations.get_mut(&key)?.next_command(key)
    }
}
