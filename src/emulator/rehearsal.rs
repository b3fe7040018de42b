//! A rehearsal: plays a conversation of a script as if every delivery passed, without a clock.

use std::collections::VecDeque;
use std::sync::Arc;

use super::actor::{ConversationActor, ScriptWait, StepOutput};
use crate::platform::{Account, Subscription};
use crate::scenario::{Script, ScriptInput, SharedStaff};

/// Iterates over the outputs of one conversation.
pub struct Rehearsal<'a> {
    actor: ConversationActor,
    subscriptions: &'a [Subscription],
    outputs: VecDeque<StepOutput>,
    wait: ScriptWait,
}

/// Rehearses conversation `number`, from 1, of a script.
pub fn rehearse<'a>(
    script: &Arc<Script>,
    account: &Arc<Account>,
    subscriptions: &'a [Subscription],
    staff: &SharedStaff,
    number: u32,
) -> Rehearsal<'a> {
    let actor = ConversationActor::new(script, account, staff, number);
    let wait = ScriptWait::Until(staff.start());
    Rehearsal { actor, subscriptions, outputs: VecDeque::new(), wait }
}

impl Iterator for Rehearsal<'_> {
    type Item = StepOutput;

    fn next(&mut self) -> Option<StepOutput> {
        while self.outputs.is_empty() {
            let input = match self.wait {
                ScriptWait::Until(_) => ScriptInput::Due,
                ScriptWait::Deliveries(_) | ScriptWait::Expectation => ScriptInput::Assumed,
                ScriptWait::Nothing => return None,
            };
            let mut outputs = Vec::new();
            self.wait = self.actor.advance(input, self.subscriptions, &mut outputs);
            self.outputs.extend(outputs);
        }
        self.outputs.pop_front()
    }
}
