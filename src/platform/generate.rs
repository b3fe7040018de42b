//! Generates the vendor's ids and message bodies for the objects of a conversation.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::account::Account;
use super::context::TemplateContext;
use super::ids::IdOwner;
use super::session_error::SessionError;
use crate::base::seed::SeedScope;
use crate::conversation::{
    Conversation, Dialog, DialogHead, DialogKind, Event, EventKind, GeneratedIds, MessageData,
};

/// Begins the name of a flow or label that is its own id.
const OWN_ID: char = '=';

/// Generates ids and bodies with the rules of an account's platform.
#[derive(Clone, Copy)]
pub(super) struct IdGenerator<'a> {
    pub(super) account: &'a Account,
}

impl IdGenerator<'_> {
    /// Generates the ids of a conversation and its dialogs, except those that the client has chosen.
    /// `seeds` is the conversation's scope.
    pub(super) fn conversation(
        self,
        conversation: &mut Conversation,
        chosen: &BTreeMap<String, String>,
        seeds: &SeedScope,
    ) {
        let ids = &self.account.platform.ids;
        let visitor = conversation.visitor().cloned();
        let outer = match &visitor {
            Some(visitor) => self.account.roots().with("visitor", visitor),
            None => self.account.roots(),
        };
        let scope = seeds.within("conversation");
        for (name, id) in chosen {
            conversation.ids.insert(&name.as_str().into(), id.clone().into());
        }
        ids.generate(IdOwner::Conversation, conversation, |c| &mut c.ids, &outer, &scope);
        // The ids of dialogs may use those of the conversation: a snapshot, because the dialogs
        // inside it change meanwhile.
        let snapshot = conversation.clone();
        let outer = outer.with("conversation", &snapshot);
        for dialog in &mut conversation.dialogs {
            let scope = seeds.within(dialog.head.kind.as_str());
            dialog.head = self.dialog(&dialog.head, &outer, &scope);
        }
    }

    /// Generates the ids of the survey that an event has opened. `seeds` is the scope of the event.
    pub(super) fn survey(self, conversation: &mut Conversation, seeds: &SeedScope) {
        let snapshot = conversation.clone();
        let outer = self.account.conversation_roots(&snapshot);
        let new = |dialog: &&mut Dialog| {
            dialog.head.kind == DialogKind::Survey && dialog.head.ids.is_empty()
        };
        for dialog in conversation.dialogs.iter_mut().filter(new) {
            dialog.head = self.dialog(&dialog.head, &outer, &seeds.within("survey"));
        }
    }

    /// Returns a dialog with its ids.
    fn dialog(
        self,
        head: &DialogHead,
        outer: &TemplateContext<'_>,
        scope: &SeedScope,
    ) -> Arc<DialogHead> {
        let mut head = head.clone();
        let owner = match head.kind {
            DialogKind::Main => IdOwner::Dialog,
            DialogKind::Survey => IdOwner::Survey,
        };
        let ids = &self.account.platform.ids;
        ids.generate(owner, &mut head, |head| &mut head.ids, outer, scope);
        Arc::new(head)
    }

    /// Generates the ids of a message, the ids in its data, and its body.
    pub(super) fn message(
        self,
        conversation: &mut Conversation,
        index: usize,
        seeds: &SeedScope,
    ) -> Result<(), SessionError> {
        let mut message = conversation.messages[index].clone();
        let platform = &self.account.platform;
        let outer = self.account.conversation_roots(conversation);
        let scope = seeds.within("message");
        platform.ids.generate(IdOwner::Message, &mut message, |m| &mut m.ids, &outer, &scope);
        let mut data = message.data.table();
        self.items(&mut data, &outer, seeds);
        message.data = MessageData::new(&data);
        let unknown = || SessionError::UnknownKind(message.kind.clone());
        let kind = platform.kinds.get(&message.kind).ok_or_else(unknown)?;
        message.word.clone_from(&kind.word);
        message.body = kind.body.render(&outer.with("message", &message))?.into();
        conversation.messages[index] = message;
        Ok(())
    }

    /// Generates the ids of each object in a list of a message's data, at any depth. Values that a
    /// step has set are kept.
    fn items(self, data: &mut Map<String, Json>, outer: &TemplateContext<'_>, seeds: &SeedScope) {
        for (key, value) in data.iter_mut() {
            let seeds = seeds.within(key);
            match value {
                Json::Object(table) => self.items(table, outer, &seeds),
                Json::Array(items) => {
                    for (index, item) in items.iter_mut().enumerate() {
                        if let Some(table) = item.as_object_mut() {
                            self.item(table, outer, &seeds.within(&index.to_string()));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn item(self, table: &mut Map<String, Json>, outer: &TemplateContext<'_>, seeds: &SeedScope) {
        let ids = self.account.platform.ids.generate_detached(IdOwner::Item, outer, seeds);
        for (name, id) in ids.into_entries() {
            table.entry(name).or_insert(id);
        }
        let flow = table.get("flow").and_then(Json::as_str).unwrap_or_default();
        if !flow.is_empty() {
            for (name, id) in self.ids_of_name(IdOwner::Flow, flow).into_entries() {
                table.entry(format!("flow_{name}")).or_insert(id);
            }
        }
        self.items(table, outer, seeds);
    }

    /// Generates the ids of the entity that an event creates, except those that the client has chosen,
    /// in the event and the conversation.
    pub(super) fn entity(
        self,
        conversation: &mut Conversation,
        event: &mut Event,
        chosen: Option<&BTreeMap<String, String>>,
        seeds: &SeedScope,
    ) {
        let Some(mut entity) = event.entity.take() else { return };
        let ids = &self.account.platform.ids;
        let (outer, scope) = (self.account.roots(), seeds.within("entity"));
        for (name, id) in chosen.into_iter().flatten() {
            entity.ids.insert(&name.as_str().into(), id.clone().into());
        }
        ids.generate(IdOwner::Entity, &mut entity, |entity| &mut entity.ids, &outer, &scope);
        // The event has a copy of the entity; later events read the one in the conversation.
        for own in conversation.entities.iter_mut().filter(|own| own.name == entity.name) {
            own.ids.clone_from(&entity.ids);
        }
        event.entity = Some(entity);
    }

    /// Adds the ids of the labels or the flow in an event's details.
    pub(super) fn labels_or_flow(self, event: &mut Event) {
        let (owner, key) = match event.kind {
            EventKind::FlowStarted => (IdOwner::Flow, "flow"),
            _ => (IdOwner::Label, "labels"),
        };
        let Some(details) = event.details.get_mut(key) else { return };
        let items = match details {
            Json::Array(items) => items.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for item in items.iter_mut().filter_map(Json::as_object_mut) {
            let name = item.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
            if let Some(own) = name.strip_prefix(OWN_ID) {
                item.insert("name".to_owned(), own.into());
            }
            item.extend(self.ids_of_name(owner, &name).into_entries());
        }
    }

    /// Generates the ids of a label or flow. They depend on its name only, so that the same label
    /// has the same ids in every run.
    fn ids_of_name(self, owner: IdOwner, name: &str) -> GeneratedIds {
        let platform = &self.account.platform;
        let seeds = SeedScope::fixed(&platform.id).within(owner.as_str()).within(name);
        let ids = platform.ids.generate_detached(owner, &self.account.roots(), &seeds);
        let Some(own) = name.strip_prefix(OWN_ID) else { return ids };
        let mut given = GeneratedIds::default();
        for (name, _) in ids.into_entries() {
            given.insert(&name.into(), own.into());
        }
        given
    }
}
