//! The page of conversations, messages or documents that a response contains.

use std::str::FromStr;

use serde_json::Value as Json;

use super::call_work::{CallWork, Conversations, ResponseState, unreadable};
use super::people::text_of;
use crate::conversation::{Conversation, Entity, Message};
use crate::platform::api::{CallError, ListPage, ListRule, Listed};
use crate::template::{InputTemplate, Object};

/// A value that things of a page must have: one of these texts.
struct ListKey {
    field: String,
    values: Vec<String>,
}

impl CallWork {
    /// Returns the page that an operation lists.
    pub(super) fn page<'a>(
        &'a self,
        rule: &'a ListRule,
        state: &ResponseState<'a>,
    ) -> Result<ListPage<'a>, CallError> {
        let mut keys = Vec::new();
        for (field, template) in &rule.by {
            let values = match self.value(Some(template))? {
                None | Some(Json::Null) => continue,
                Some(Json::Array(values)) => values.iter().map(text_of).collect(),
                Some(value) => vec![text_of(&value)],
            };
            keys.push(ListKey { field: field.clone(), values });
        }
        let mut all: Vec<&dyn Object> = match &rule.of {
            Listed::Documents(kind) => {
                let documents = self.documents.all(kind).iter();
                let has = |key: &ListKey, text: Option<String>| {
                    text.is_some_and(|text| key.admits(&text))
                };
                documents
                    .filter(|document| keys.iter().all(|key| has(key, document.text(&key.field))))
                    .map(|document| document as &dyn Object)
                    .collect()
            }
            Listed::Messages => {
                let messages = state.conversation.iter().flat_map(|known| &known.messages);
                let from = self.number(rule.from.as_ref())?;
                let admits = |message: &&Message| {
                    let id = |key: &ListKey| message.ids.text(&key.field);
                    from.is_none_or(|from| message.number >= from)
                        && self.found_dialog.is_none_or(|kind| message.dialog.kind == kind)
                        && keys.iter().all(|key| id(key).is_some_and(|id| key.admits(&id)))
                };
                messages.filter(admits).map(|message| message as &dyn Object).collect()
            }
            Listed::Entities(kind) => {
                let mut conversations: Vec<_> = state.conversations.iter().collect();
                conversations.sort_by_key(|(key, _)| **key);
                let all = conversations.into_iter();
                let all = all.flat_map(|(_, live)| &live.actor.conversation().entities);
                let admits = |entity: &&Entity| {
                    let text = |key: &ListKey| entity.text(&key.field);
                    entity.kind == *kind
                        && keys.iter().all(|key| text(key).is_some_and(|text| key.admits(&text)))
                };
                all.filter(admits).map(|entity| entity as &dyn Object).collect()
            }
            Listed::Conversations => of_conversations(state.conversations, &keys),
        };
        if rule.newest {
            all.reverse();
        }
        let size = self.number(rule.size.as_ref())?.unwrap_or(rule.default).min(rule.most);
        let offset = match self.number::<usize>(rule.page.as_ref())? {
            Some(page) => page.saturating_sub(1).saturating_mul(size),
            None => self.number(rule.offset.as_ref())?.unwrap_or(0),
        };
        Ok(ListPage::new(all, offset, size))
    }

    fn value(&self, template: Option<&InputTemplate>) -> Result<Option<Json>, CallError> {
        let Some(template) = template else { return Ok(None) };
        template.render(&self.roots()).map_err(|error| unreadable(&error))
    }

    /// Reads a number; `None` for anything else, as in a query that a client wrote by hand.
    fn number<N: FromStr>(&self, template: Option<&InputTemplate>) -> Result<Option<N>, CallError> {
        Ok(self.value(template)?.and_then(|value| text_of(&value).parse().ok()))
    }
}

impl ListKey {
    fn admits(&self, value: &str) -> bool {
        self.values.iter().any(|known| known == value)
    }
}

/// Returns the conversations with these values, the oldest first.
fn of_conversations<'a>(conversations: &'a Conversations, keys: &[ListKey]) -> Vec<&'a dyn Object> {
    let admits = |conversation: &Conversation, key: &ListKey| match key.field.as_str() {
        "visitor" => {
            let visitor = conversation.visitor();
            visitor
                .is_some_and(|visitor| key.values.iter().any(|id| visitor.member.ids.include(id)))
        }
        "state" => conversation.state.is_some_and(|state| key.admits(state.as_str())),
        id => conversation.ids.text(id).is_some_and(|id| key.admits(&id)),
    };
    let opened = conversations.iter().filter_map(|(key, live)| {
        let conversation = live.actor.conversation();
        let is_listed =
            conversation.state.is_some() && keys.iter().all(|key| admits(conversation, key));
        is_listed.then_some((conversation.opened_at, *key, conversation))
    });
    let mut opened: Vec<_> = opened.collect();
    opened.sort_by_key(|(at, key, _)| (*at, *key));
    opened.into_iter().map(|(_, _, conversation)| conversation as &dyn Object).collect()
}
