//! Completes an action with the data that its step leaves to the vendor's defaults.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::account::Account;
use super::entity_rules::EntityRules;
use super::event_rule::EventRule;
use super::fake_values::InventedValues;
use super::fields::{self, FieldDefaults};
use super::forms::UnsetValue;
use super::session_error::SessionError;
use crate::base::fake::LOCALES;
use crate::base::seed::SeedScope;
use crate::conversation::{Action, ActionKind, Conversation};

/// Completes the actions of a conversation.
pub(super) struct ActionCompleter<'a> {
    pub(super) account: &'a Account,
    pub(super) conversation: &'a Conversation,
    /// Scope of the action's generated values.
    pub(super) seeds: &'a SeedScope,
    /// Time of the action.
    pub(super) at: Timestamp,
}

impl ActionCompleter<'_> {
    /// Returns the action with complete data, and with the message kind that the vendor sends.
    pub(super) fn complete(&self, action: &Action) -> Result<Action, SessionError> {
        let platform = &self.account.platform;
        let mut action = action.clone();
        self.write_numbers(&mut action);
        match &mut action.kind {
            ActionKind::Say { kind, data, text, .. } => self.complete_message(kind, data, text)?,
            ActionKind::Create { kind, fields, unset, .. } => {
                let unknown = || SessionError::UnknownKind(kind.clone());
                let defaults = platform.entities.get(kind.as_str()).ok_or_else(unknown)?;
                defaults.rules.align_firsts(None, fields);
                *fields = self.data(defaults, &std::mem::take(fields), None, false);
                fields.retain(|field, _| !unset.contains(field));
                defaults.rules.complete(None, &self.conversation.entities, fields, self.at);
            }
            ActionKind::Update { name, fields, unset, .. } => {
                let entities = &self.conversation.entities;
                // An unknown entity is an invalid action, which the conversation reports.
                if let Some(entity) = entities.iter().find(|entity| entity.name == *name) {
                    let defaults = platform.entities.get(entity.kind.as_str());
                    let Some(defaults) = defaults else { return Ok(action) };
                    keep_other_keys(&entity.fields, fields, &defaults.rules);
                    if defaults.unset == UnsetValue::Null {
                        fields.extend(unset.drain(..).map(|field| (field, Json::Null)));
                    }
                    defaults.rules.align_firsts(Some(entity), fields);
                    defaults.rules.keep_and_reset(entity, fields);
                    defaults.rules.complete(Some(entity), entities, fields, self.at);
                }
            }
            _ => {}
        }
        Ok(action)
    }

    /// Returns the data of an emitted event, completed with the defaults of its rule.
    pub(super) fn complete_emitted(
        &self,
        rule: &EventRule,
        data: Map<String, Json>,
    ) -> Map<String, Json> {
        match &rule.data {
            Some(defaults) => self.data(defaults, &data, None, false),
            None => data,
        }
    }

    /// Writes the numbers of a step as the vendor's language does.
    fn write_numbers(&self, action: &mut Action) {
        let numbers = self.account.platform.numbers;
        match &mut action.kind {
            ActionKind::Say { data, .. }
            | ActionKind::Emit { data, .. }
            | ActionKind::Create { fields: data, .. }
            | ActionKind::Update { fields: data, .. } => numbers.normalize_entries(data),
            ActionKind::Set { variables, .. } => {
                variables.iter_mut().for_each(|variable| numbers.normalize(&mut variable.value));
            }
            _ => {}
        }
    }

    fn complete_message(
        &self,
        kind: &mut String,
        data: &mut Map<String, Json>,
        text: &mut String,
    ) -> Result<(), SessionError> {
        let kinds = &self.account.platform.kinds;
        let unknown = || SessionError::UnknownKind(kind.clone());
        let message_kind = kinds.get(kind.as_str()).ok_or_else(unknown)?;
        let asked = message_kind.answers.as_ref().and_then(|kind| self.last_message(kind));
        // The data of the requested kind, even if `as` replaces the kind below.
        let input = std::mem::take(data);
        *data = self.data(&message_kind.data, &input, asked.as_ref(), true);
        // A step names a choice by its text only; the payload needs the whole option.
        if message_kind.data.has("choice")
            && let Some(choice) = asked.as_ref().and_then(|asked| chosen(asked, text))
        {
            if text.is_empty() {
                *text = label_of(&choice);
            }
            data.insert("choice".into(), choice);
        }
        if text.is_empty()
            && let Some(Json::String(default)) = data.get("text")
        {
            text.clone_from(default);
        }
        kind.clone_from(&message_kind.name);
        Ok(())
    }

    /// Returns the data of the last message of this kind, with its text.
    fn last_message(&self, kind: &str) -> Option<Map<String, Json>> {
        let message = self.conversation.messages.iter().rfind(|message| message.kind == kind)?;
        let mut data = message.data.table();
        data.insert("text".into(), message.text.clone().into());
        Some(data)
    }

    fn data(
        &self,
        defaults: &FieldDefaults,
        input: &Map<String, Json>,
        asked: Option<&Map<String, Json>>,
        describes_visitor: bool,
    ) -> Map<String, Json> {
        // Entities can be created before there is a visitor, hence the default locale.
        let visitor = self.conversation.visitor();
        let locale = visitor.map_or(&LOCALES[0], |visitor| visitor.member.locale);
        let generated = InventedValues::new(locale, self.seeds, &self.account.files);
        // A form is filled in by the visitor; entities and emitted events are about other people.
        let generated = generated.about(visitor.filter(|_| describes_visitor));
        let (fakes, files) = (generated.fakes(), generated.files());
        let roots = self.account.roots().with("fake", &fakes).with("file", &files);
        match asked {
            Some(asked) => defaults.complete(input, Some(asked), &roots.with("asked", asked)),
            None => defaults.complete(input, None, &roots),
        }
    }
}

/// Completes objects of an update with the keys they have: an update of one key keeps the others.
fn keep_other_keys(
    current: &Map<String, Json>,
    update: &mut Map<String, Json>,
    rules: &EntityRules,
) {
    for (key, update) in update.iter_mut().filter(|(key, _)| !rules.is_whole(key)) {
        if let (Some(current @ Json::Object(_)), Json::Object(_)) = (current.get(key), &*update) {
            *update = fields::fill(current, update);
        }
    }
}

/// Returns the selected element of a list in the question: the first one with this text in any
/// field, or the first of all if the text is empty.
fn chosen(asked: &Map<String, Json>, text: &str) -> Option<Json> {
    let has = |item: &&Json| {
        item.as_object().is_some_and(|item| {
            text.is_empty() || item.values().any(|value| value.as_str() == Some(text))
        })
    };
    asked.values().filter_map(Json::as_array).flatten().find(has).cloned()
}

/// Returns the text by which an element is selected. Vendors call it `label` or `title`.
fn label_of(choice: &Json) -> String {
    let label = ["label", "title"].iter().find_map(|key| choice.get(key)?.as_str());
    label.unwrap_or_default().to_owned()
}
