//! Lets responses wait until their conversations have settled.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::call_work::CallWork;
use super::host::AccountHost;
use super::incoming::SettlingResponse;
use super::settling::{SettlingCall, SettlingPlace};
use crate::delivery::{HostCommand, RunTimes};

impl AccountHost {
    /// Lets the response to a call wait for its conversation.
    pub(super) fn settle(
        &mut self,
        work: CallWork,
        place: SettlingPlace,
        within: Duration,
    ) -> SettlingResponse {
        let (reply, response) = oneshot::channel();
        let call = work.record.number;
        let live = self.conversations.get(&place.conversation);
        let messages = live.map_or(0, |live| live.actor.conversation().messages.len());
        self.settling.retain(|known| !known.reply.is_closed());
        self.settling.push(SettlingCall { work, place, messages, is_sent: false, reply });
        SettlingResponse { call, within, response }
    }

    /// Notes that scripts can continue after a call.
    pub(super) fn note_settling(
        &mut self,
        call: u64,
        times: &mut dyn RunTimes,
    ) -> Vec<HostCommand> {
        let waiting = self.settling.iter_mut().find(|known| known.work.record.number == call);
        let Some(settling) = waiting else { return Vec::new() };
        settling.is_sent = true;
        let at = times.now(settling.place.conversation).unwrap_or(settling.work.at);
        self.complete_calls(at)
    }

    /// Completes the response to a call whose time is over.
    pub(super) fn complete_call(
        &mut self,
        call: u64,
        times: &mut dyn RunTimes,
    ) -> Vec<HostCommand> {
        let index = self.settling.iter().position(|known| known.work.record.number == call);
        let Some(settling) = index.map(|index| self.settling.swap_remove(index)) else {
            return Vec::new();
        };
        let at = times.now(settling.place.conversation).unwrap_or(settling.work.at);
        vec![settling.complete(&self.conversations, at)]
    }

    /// Completes the responses that wait for conversations whose scripts wait for somebody else.
    pub(super) fn complete_calls(&mut self, at: Timestamp) -> Vec<HostCommand> {
        let conversations = &self.conversations;
        let is_complete = |known: &mut SettlingCall| {
            let live = conversations.get(&known.place.conversation);
            known.is_sent && live.is_none_or(|live| live.waits_for_others())
        };
        let complete: Vec<_> = self.settling.extract_if(.., is_complete).collect();
        complete.into_iter().map(|known| known.complete(conversations, at)).collect()
    }
}
