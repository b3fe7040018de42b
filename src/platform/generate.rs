//! What a vendor adds to the conversation model when something happens: ids, bodies, and the data
//! that a step left out.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::Account;
use super::context::TemplateContext;
use super::fake_values::InventedValues;
use super::fields::{self, FieldDefaults};
use super::ids::{self, IdOwner};
use super::session::{Session, SessionError, roots_of};
use crate::base::fake::LOCALES;
use crate::base::seed::SeedScope;
use crate::conversation::{Action, DialogHead, Event, EventKind, GeneratedIds, Member, Person};

impl Session {
    /// The act with its data in full, and with the kind of message that the vendor sends.
    pub(super) fn completed(
        &self,
        action: &Action,
        seeds: &SeedScope,
    ) -> Result<Action, SessionError> {
        let vendor = &self.account.platform;
        let mut action = action.clone();
        match &mut action {
            Action::Say { kind, data, text, .. } => {
                let unknown = || SessionError::UnknownKind(kind.clone());
                let known = vendor.kinds.get(kind.as_str()).ok_or_else(unknown)?;
                let asked = known.answers.as_ref().and_then(|kind| self.asked(kind));
                let written = std::mem::take(data);
                *data = self.complete(&known.data, &written, asked.as_ref(), seeds);
                if known.data.has("choice")
                    && let Some(choice) = asked.as_ref().and_then(|asked| chosen(asked, text))
                {
                    if text.is_empty() {
                        *text = label_of(&choice);
                    }
                    data.insert("choice".into(), choice);
                }
                if text.is_empty()
                    && let Some(Json::String(otherwise)) = data.get("text")
                {
                    text.clone_from(otherwise);
                }
                kind.clone_from(&known.name);
            }
            Action::Create { kind, fields, .. } => {
                let unknown = || SessionError::UnknownKind(kind.clone());
                let known = vendor.entities.get(kind.as_str()).ok_or_else(unknown)?;
                *fields = self.complete(known, &std::mem::take(fields), None, seeds);
            }
            Action::Update { name, fields, .. } => {
                let entities = &self.conversation.entities;
                if let Some(own) = entities.iter().find(|entity| entity.name == *name) {
                    over_tables(&own.fields, fields);
                }
            }
            Action::Emit { event_type, data, .. } => {
                let told = |rule: &&super::EventRule| {
                    rule.on == EventKind::Emitted && rule.is_called(event_type)
                };
                if let Some(known) = vendor.events.iter().find(told).and_then(|r| r.data.as_ref()) {
                    *data = self.complete(known, &std::mem::take(data), None, seeds);
                }
            }
            _ => {}
        }
        Ok(action)
    }

    /// The data of the last message of this kind, with its text.
    fn asked(&self, kind: &str) -> Option<Map<String, Json>> {
        let message = self.conversation.messages.iter().rfind(|message| message.kind == kind)?;
        let mut data = message.data.clone();
        data.insert("text".into(), message.text.clone().into());
        Some(data)
    }

    fn complete(
        &self,
        data: &FieldDefaults,
        given: &Map<String, Json>,
        asked: Option<&Map<String, Json>>,
        seeds: &SeedScope,
    ) -> Map<String, Json> {
        let visitor = self.conversation.visitor();
        let locale = visitor.map_or(&LOCALES[0], |visitor| visitor.member.locale);
        let invented = InventedValues::new(locale, seeds, &self.account.files);
        let (fakes, files) = (invented.fakes(), invented.files());
        let roots = self.account.roots().with("fake", &fakes).with("file", &files);
        match asked {
            Some(asked) => data.complete(given, Some(asked), &roots.with("asked", asked)),
            None => data.complete(given, None, &roots),
        }
    }

    pub(super) fn make_conversation_ids(&mut self) {
        let account = Arc::clone(&self.account);
        let ids = &account.platform.ids;
        let visitor = self.conversation.visitor().cloned();
        let outer = match &visitor {
            Some(visitor) => account.roots().with("visitor", visitor),
            None => account.roots(),
        };
        let seeds = self.seeds.within("conversation");
        let thing = (IdOwner::Conversation, "conversation");
        ids.generate(thing, &mut self.conversation, |c| &mut c.ids, (&outer, &seeds));
        let conversation = self.conversation.clone();
        let outer = outer.with("conversation", &conversation);
        for dialog in &mut self.conversation.dialogs {
            let mut head = DialogHead::clone(&dialog.head);
            let seeds = self.seeds.within(head.kind.word());
            ids.generate(
                (IdOwner::Dialog, "dialog"),
                &mut head,
                |head| &mut head.ids,
                (&outer, &seeds),
            );
            dialog.head = Arc::new(head);
        }
    }

    pub(super) fn make_message(
        &mut self,
        index: usize,
        seeds: &SeedScope,
    ) -> Result<(), SessionError> {
        let mut message = self.conversation.messages[index].clone();
        let vendor = &self.account.platform;
        let outer = roots_of(&self.account, &self.conversation);
        let thing = (IdOwner::Message, "message");
        vendor.ids.generate(
            thing,
            &mut message,
            |m| &mut m.ids,
            (&outer, &seeds.within("message")),
        );
        self.make_items(&mut message.data, &outer, seeds);
        let unknown = || SessionError::UnknownKind(message.kind.clone());
        let kind = vendor.kinds.get(&message.kind).ok_or_else(unknown)?;
        message.word.clone_from(&kind.word);
        let body = kind.body.render(&outer.with("message", &message))?;
        message.body = serde_json::from_str(&body).unwrap_or_default();
        self.conversation.messages[index] = message;
        Ok(())
    }

    /// Gives each table in a list of a message's data its ids, and those of the flow that it leads
    /// to, at any depth.
    fn make_items(
        &self,
        data: &mut Map<String, Json>,
        outer: &TemplateContext<'_>,
        seeds: &SeedScope,
    ) {
        for (key, value) in data.iter_mut() {
            let seeds = seeds.within(key);
            match value {
                Json::Object(table) => self.make_items(table, outer, &seeds),
                Json::Array(items) => {
                    let tables = items.iter_mut().enumerate();
                    for (at, table) in
                        tables.filter_map(|(at, item)| Some((at, item.as_object_mut()?)))
                    {
                        let seeds = seeds.within(&at.to_string());
                        for (name, id) in self
                            .account
                            .platform
                            .ids
                            .generate_detached(IdOwner::Item, outer, &seeds)
                            .into_entries()
                        {
                            table.entry(name).or_insert(id);
                        }
                        let flow = table.get("flow").and_then(Json::as_str).unwrap_or_default();
                        if !flow.is_empty() {
                            for (name, id) in self.named(IdOwner::Flow, flow).into_entries() {
                                table.entry(format!("flow_{name}")).or_insert(id);
                            }
                        }
                        self.make_items(table, outer, &seeds);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn make_entity(&mut self, event: &mut Event, seeds: &SeedScope) {
        let Some(mut entity) = event.entity.take() else { return };
        let outer = self.account.roots();
        let thing = (IdOwner::Entity, "entity");
        let seeds = seeds.within("entity");
        self.account.platform.ids.generate(
            thing,
            &mut entity,
            |entity| &mut entity.ids,
            (&outer, &seeds),
        );
        for own in self.conversation.entities.iter_mut().filter(|own| own.name == entity.name) {
            own.ids.clone_from(&entity.ids);
        }
        event.entity = Some(entity);
    }

    /// Gives labels and flows the ids that go with their names, the same whenever they occur.
    pub(super) fn make_named(&self, event: &mut Event) {
        let (thing, key) = match event.kind {
            EventKind::FlowStarted => (IdOwner::Flow, "flow"),
            _ => (IdOwner::Label, "labels"),
        };
        let Some(told) = event.details.get_mut(key) else { return };
        let named = match told {
            Json::Array(items) => items.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for item in named.iter_mut().filter_map(Json::as_object_mut) {
            let name = item.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
            item.extend(self.named(thing, &name).into_entries());
        }
    }

    /// The ids of a label or a flow of this name.
    fn named(&self, thing: IdOwner, name: &str) -> GeneratedIds {
        let vendor = &self.account.platform;
        let seeds = SeedScope::fixed(&vendor.id).within(thing.word()).within(name);
        vendor.ids.generate_detached(thing, &self.account.roots(), &seeds)
    }
}

/// A table that is given in part keeps the rest of what it was.
fn over_tables(own: &Map<String, Json>, given: &mut Map<String, Json>) {
    for (key, given) in given.iter_mut() {
        if let (Some(own @ Json::Object(_)), Json::Object(_)) = (own.get(key), &*given) {
            *given = fields::fill(own, given);
        }
    }
}

/// What was chosen: the element of a list that was asked which has this text, the first of all
/// where nothing was said.
fn chosen(asked: &Map<String, Json>, text: &str) -> Option<Json> {
    let has = |item: &&Json| {
        item.as_object().is_some_and(|item| {
            text.is_empty() || item.values().any(|value| value.as_str() == Some(text))
        })
    };
    asked.values().filter_map(Json::as_array).flatten().find(has).cloned()
}

/// The text that an element of a list is chosen by.
fn label_of(choice: &Json) -> String {
    let label = ["label", "title"].iter().find_map(|key| choice.get(key)?.as_str());
    label.unwrap_or_default().to_owned()
}

impl Account {
    /// A member with the ids that the vendor gives to somebody of their role.
    pub fn admit(&self, mut member: Member, seeds: &SeedScope) -> Member {
        let roots = self.roots();
        for thing in [IdOwner::Person, ids::of_role(member.role)] {
            let mut person = Person::new(Arc::new(member.clone()), Map::new());
            self.platform.ids.generate(
                (thing, "person"),
                &mut person,
                |person| &mut Arc::make_mut(&mut person.member).ids,
                (&roots, &seeds.within(&member.name)),
            );
            member.ids.clone_from(&person.member.ids);
        }
        member
    }
}
