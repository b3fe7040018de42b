//! Lets responses wait until their conversations have settled.

use std::time::Duration;

use tokio::sync::oneshot;

use super::call_work::CallWork;
use super::host::AccountHost;
use super::incoming::SettlingResponse;
use super::settling::SettlingCall;
use crate::delivery::ConversationKey;

impl AccountHost {
    /// Lets the response to a call wait for its conversation.
    pub(super) fn settle(
        &mut self,
        work: CallWork,
        conversation: ConversationKey,
        within: Duration,
    ) -> SettlingResponse {
        let (reply, response) = oneshot::channel();
        let call = work.record.number;
        let live = self.conversations.get(&conversation);
        let messages = live.map_or(0, |live| live.actor.conversation().messages.len());
        self.settling.retain(|known| !known.reply.is_closed());
        let settling = SettlingCall { work, conversation, messages, is_sent: false, reply };
        self.settling.push(settling);
        SettlingResponse { call, within, response }
    }

    /// Notes that scripts can continue after a call.
    pub(super) fn note_settling(&mut self, call: u64) {
        let waiting = self.settling.iter_mut().find(|known| known.work.record.number == call);
        if let Some(settling) = waiting {
            settling.is_sent = true;
            self.complete_calls();
        }
    }

    /// Completes the response to a call whose time is over.
    pub(super) fn complete_call(&mut self, call: u64) {
        let index = self.settling.iter().position(|known| known.work.record.number == call);
        if let Some(index) = index {
            self.settling.swap_remove(index).complete(&self.conversations);
        }
    }

    /// Completes the responses that wait for conversations whose scripts wait for somebody else.
    pub(super) fn complete_calls(&mut self) {
        let conversations = &self.conversations;
        let is_complete = |known: &mut SettlingCall| {
            let live = conversations.get(&known.conversation);
            known.is_sent && live.is_none_or(|live| live.waits_for_others())
        };
        let complete: Vec<_> = self.settling.extract_if(.., is_complete).collect();
        complete.into_iter().for_each(|known| known.complete(conversations));
    }
}
