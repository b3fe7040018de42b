//! Calls whose responses contain what follows in the conversation: they wait until its script waits for
//! somebody else.

use tokio::sync::oneshot;

use super::call_work::{CallWork, Conversations, ResponseState};
use crate::conversation::{Message, Role};
use crate::delivery::ConversationKey;
use crate::platform::api::ApiResponse;
use crate::template::{Object, Value};

/// A call whose response waits.
pub(super) struct SettlingCall {
    /// The call, without its conversation.
    pub(super) work: CallWork,
    pub(super) conversation: ConversationKey,
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
    /// Responds with what has been said by now.
    pub(super) fn complete(self, conversations: &Conversations) {
        let live = conversations.get(&self.conversation);
        let conversation = live.map(|live| live.actor.conversation());
        let state = ResponseState { conversation, conversations, since: self.messages };
        let response = match self.work.respond(&state) {
            Ok(response) => self.work.as_scripted(response),
            Err(error) => self.work.respond_to(&error),
        };
        // A client may have given up.
        let _ = self.reply.send(response);
    }
}
