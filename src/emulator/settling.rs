//! Calls whose responses contain what follows in the conversation: they wait until its script waits for
//! somebody else.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::call_work::{CallWork, Conversations, ResponseState};
use crate::conversation::{Message, Role};
use crate::delivery::{ConversationKey, HostCommand};
use crate::platform::api::ApiResponse;
use crate::record::{CallRecord, RecordKind, RecordScope, SettledCall};
use crate::template::{Object, Value};

/// Where a response waits, and where it is recorded.
#[derive(Clone, Copy)]
pub(super) struct SettlingPlace {
    pub(super) conversation: ConversationKey,
    /// The run that has recorded the call.
    pub(super) run: u32,
}

/// A call whose response waits.
pub(super) struct SettlingCall {
    /// The call, without its conversation.
    pub(super) work: CallWork,
    pub(super) place: SettlingPlace,
    /// Number of messages after the actions of the call.
    pub(super) messages: usize,
    /// Whether scripts know the call as responded, and continue.
    pub(super) is_sent: bool,
    pub(super) reply: oneshot::Sender<ApiResponse>,
}

/// The messages that followed a call: the root `settled`.
pub(super) struct SettledMessages<'a>(pub(super) &'a [Message]);

impl Object for SettledMessages<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "messages" => {
                Value::objects(self.0.iter().filter(|message| message.by.role() != Role::Visitor))
            }
            _ => Value::Absent,
        }
    }
}

impl SettlingCall {
    /// Responds with what has been said by now. Returns the record of the response.
    pub(super) fn complete(self, conversations: &Conversations, at: Timestamp) -> HostCommand {
        let SettlingPlace { conversation: key, run } = self.place;
        let live = conversations.get(&key);
        let conversation = live.map(|live| live.actor.conversation());
        let state = ResponseState { conversation, conversations, since: self.messages };
        let response = match self.work.respond(&state) {
            Ok(response) => self.work.as_scripted(response),
            Err(error) => self.work.respond_to(&error),
        };
        let CallRecord { number, status, response: sent, .. } = self.work.record_of(&response);
        // A client may have given up.
        let _ = self.reply.send(response);
        let response = sent.map(|sent| *sent).unwrap_or_default();
        let settled = SettledCall { call: number, status, response };
        let conversation = Some(key.number).filter(|_| key.run == run);
        let scope = RecordScope { at, conversation, step: None };
        HostCommand::Record(run, scope, Box::new(RecordKind::CallResponded(settled)))
    }
}
