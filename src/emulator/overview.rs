//! What a list shows about a conversation.

use crate::base::text::excerpt;
use crate::conversation::{Conversation, ConversationState, Person};
use crate::delivery::ConversationKey;

/// A conversation in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationOverview {
    /// Its run and number.
    pub key: ConversationKey,
    /// Name of the visitor.
    pub visitor: Option<String>,
    /// Open or closed; `None` before it is opened.
    pub state: Option<ConversationState>,
    /// Name of the current assignee.
    pub assignee: Option<String>,
    /// Number of messages.
    pub messages: usize,
    /// The beginning of the last message.
    pub last_text: Option<String>,
}

/// Characters of the last message: more than a list has room for.
const MAX_TEXT: usize = 120;

impl ConversationOverview {
    pub(super) fn of(key: ConversationKey, conversation: &Conversation) -> Self {
        Self {
            key,
            visitor: conversation.visitor().map(Person::name),
            state: conversation.state,
            assignee: conversation.assignee().map(Person::name),
            messages: conversation.messages.len(),
            last_text: conversation.messages.last().map(|last| excerpt(&last.text, MAX_TEXT)),
        }
    }
}
