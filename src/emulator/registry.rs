//! Finds conversations by the ids that the vendor gave out.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::conversation::{Conversation, GeneratedIds};
use crate::delivery::ConversationKey;

/// The conversations of an account, by the hashes of their ids.
// Hashes, because the conversations have the ids: thousands of them wait at once.
#[derive(Debug, Default)]
pub(super) struct Registry(BTreeSet<(u64, ConversationKey)>);

impl Registry {
    /// Adds the ids of a conversation and its dialogs. A hidden one is not found.
    pub(super) fn add(&mut self, key: ConversationKey, conversation: &Conversation) {
        if !conversation.hidden {
            self.0.extend(ids(conversation).map(|id| (hash(&id), key)));
        }
    }

    /// Removes the ids of a conversation.
    pub(super) fn remove(&mut self, key: ConversationKey, conversation: &Conversation) {
        for id in ids(conversation) {
            self.0.remove(&(hash(&id), key));
        }
    }

    /// Returns the conversation to which an id belongs. `get` returns a conversation by its key.
    pub(super) fn find<'a>(
        &self,
        id: &str,
        get: impl Fn(ConversationKey) -> Option<&'a Conversation>,
    ) -> Option<ConversationKey> {
        let (first, last) = (ConversationKey::MIN, ConversationKey::MAX);
        let found = self.0.range((hash(id), first)..=(hash(id), last)).map(|(_, key)| *key);
        // Two ids can have the same hash.
        let mut found = found.filter(|key| get(*key).is_some_and(|c| ids(c).any(|own| own == id)));
        found.next()
    }
}

fn ids(conversation: &Conversation) -> impl Iterator<Item = Cow<'_, str>> {
    let dialogs = conversation.dialogs.iter().map(|dialog| &dialog.head.ids);
    std::iter::once(&conversation.ids).chain(dialogs).flat_map(GeneratedIds::texts)
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}
