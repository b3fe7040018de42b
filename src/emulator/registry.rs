//! Finds conversations by the ids that the vendor gave out.

use std::collections::HashMap;

use crate::conversation::{Conversation, GeneratedIds};
use crate::delivery::ConversationKey;

/// The conversations of an account, by id.
#[derive(Debug, Default)]
pub(super) struct Registry(HashMap<String, ConversationKey>);

impl Registry {
    /// Adds the ids of a conversation and its dialogs.
    pub(super) fn add(&mut self, key: ConversationKey, conversation: &Conversation) {
        self.0.extend(ids(conversation).map(|id| (id, key)));
    }

    /// Removes the ids of a conversation.
    pub(super) fn remove(&mut self, conversation: &Conversation) {
        for id in ids(conversation) {
            self.0.remove(&id);
        }
    }

    /// Returns the conversation to which an id belongs.
    pub(super) fn find(&self, id: &str) -> Option<ConversationKey> {
        self.0.get(id).copied()
    }
}

fn ids(conversation: &Conversation) -> impl Iterator<Item = String> {
    let dialogs = conversation.dialogs.iter().map(|dialog| &dialog.head.ids);
    let texts = |ids: &GeneratedIds| {
        let values = ids.clone().into_entries().map(|(_, value)| value);
        values.filter_map(|value| value.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    std::iter::once(&conversation.ids).chain(dialogs).flat_map(texts)
}
