//! A rehearsal: plays a conversation of a script as if every delivery passed, without a clock.

use std::collections::VecDeque;
use std::sync::Arc;

use super::actor::{ConversationActor, StepOutput};
use crate::platform::{Account, Subscription};
use crate::scenario::{Script, SharedStaff};

/// Iterates over the outputs of one conversation.
pub struct Rehearsal<'a> {
    actor: ConversationActor,
    subscriptions: &'a [Subscription],
    outputs: VecDeque<StepOutput>,
    has_ended: bool,
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
    Rehearsal { actor, subscriptions, outputs: VecDeque::new(), has_ended: false }
}

impl Iterator for Rehearsal<'_> {
    type Item = StepOutput;

    fn next(&mut self) -> Option<StepOutput> {
        while self.outputs.is_empty() && !self.has_ended {
            let mut outputs = Vec::new();
            self.has_ended = self.actor.advance(self.subscriptions, &mut outputs).is_none();
            self.outputs.extend(outputs);
        }
        self.outputs.pop_front()
    }
}
