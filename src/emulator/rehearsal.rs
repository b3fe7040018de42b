//! A rehearsal: plays a script once as if every delivery passed, without a clock.

use std::collections::VecDeque;
use std::sync::Arc;

use super::actor::{ConversationActor, ScriptWait, StepOutput};
use crate::platform::{Account, Subscription};
use crate::scenario::{Script, ScriptInput, SharedStaff};

/// Iterates over the outputs of one play of a script.
pub struct Rehearsal<'a> {
    /// The conversations of the play.
    actors: Vec<ConversationActor>,
    /// Number of the first one.
    first: u32,
    /// Index of the one in which the script is.
    current: usize,
    subscriptions: &'a [Subscription],
    outputs: VecDeque<StepOutput>,
    wait: ScriptWait,
}

/// What happens in one of the conversations.
#[derive(Debug)]
pub struct RehearsedOutput {
    /// Number of the conversation.
    pub conversation: u32,
    /// What happens.
    pub output: StepOutput,
}

/// Rehearses the play of a script whose first conversation has number `first`, from 1.
pub fn rehearse<'a>(
    script: &Arc<Script>,
    account: &Arc<Account>,
    subscriptions: &'a [Subscription],
    staff: &SharedStaff,
    first: u32,
) -> Rehearsal<'a> {
    let numbers = first..first.saturating_add(script.conversation_count());
    let actor = |number| ConversationActor::new(script, account, staff, number);
    let (actors, outputs) = (numbers.map(actor).collect(), VecDeque::new());
    let wait = ScriptWait::Until(staff.start());
    Rehearsal { actors, first, current: 0, subscriptions, outputs, wait }
}

impl Iterator for Rehearsal<'_> {
    type Item = RehearsedOutput;

    fn next(&mut self) -> Option<RehearsedOutput> {
        while self.outputs.is_empty() {
            let input = match self.wait {
                ScriptWait::Until(_) => ScriptInput::Due,
                ScriptWait::Deliveries(_) | ScriptWait::Expectation => ScriptInput::Assumed,
                ScriptWait::Elsewhere(next) => {
                    let script = self.actors[self.current].take_script()?;
                    self.actors[next].give_script(script);
                    self.current = next;
                    ScriptInput::Due
                }
                ScriptWait::Nothing => return None,
            };
            let mut outputs = Vec::new();
            let actor = &mut self.actors[self.current];
            self.wait = actor.advance(input, self.subscriptions, &mut outputs);
            self.outputs.extend(outputs);
        }
        let conversation = self.first.saturating_add(u32::try_from(self.current).unwrap_or(0));
        Some(RehearsedOutput { conversation, output: self.outputs.pop_front()? })
    }
}
