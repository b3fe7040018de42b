//! Finds everything that a call is about at once, and takes several conversations for one call.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::call_finds::{has_keys, is_entity, unknown};
use super::call_work::{
    CallWork, FoundConversation, FoundEntity, FoundList, OtherConversation, WorkConversation,
    unreadable,
};
use super::host::AccountHost;
use super::people::{PersonKey, text_of};
use crate::base::limits::MAX_FOUND_VALUES;
use crate::conversation::{Conversation, Entity};
use crate::delivery::{ConversationKey, RunTimes};
use crate::platform::api::{CallCondition, CallError, FindKind, FindRule};

impl CallWork {
    /// Returns an entity of the conversations that the call has taken, and which of them it is.
    pub(super) fn taken_entity(
        &self,
        is_it: &dyn Fn(&&Entity) -> bool,
    ) -> Option<(Entity, Option<usize>)> {
        let own = self.conversation.iter().map(|_| None);
        let mut places = own.chain((0..self.others.len()).map(Some));
        places.find_map(|place| {
            let entity = self.state_of(place)?.entities.iter().find(is_it)?;
            Some((entity.clone(), place))
        })
    }

    /// Reads the values by which everything is found. A list means one of its elements: the values of
    /// each, once.
    fn keys_of_each(&self, rule: &FindRule) -> Result<Vec<Vec<PersonKey>>, CallError> {
        let mut all = vec![Vec::new()];
        for (field, template) in &rule.by {
            let value = template.render(&self.roots()).map_err(|error| unreadable(&error))?;
            let values: Vec<String> = match value {
                Some(Json::Array(values)) => {
                    let mut known = HashSet::new();
                    let texts = values.iter().map(text_of);
                    texts.filter(|text| known.insert(text.clone())).collect()
                }
                Some(value) if !value.is_null() => vec![text_of(&value)],
                _ => {
                    let message = format!("`{field}` of `{}` has no value", rule.name);
                    return Err(CallError::new(CallCondition::missing_field(), message));
                }
            };
            if all.len().saturating_mul(values.len()) > MAX_FOUND_VALUES {
                let message = format!("`{}` has more than {MAX_FOUND_VALUES} values", rule.name);
                return Err(CallError::new(CallCondition::too_large(), message));
            }
            let with = |keys: &Vec<PersonKey>, value: &String| {
                let key = PersonKey { field: field.clone(), value: value.clone() };
                keys.iter().cloned().chain([key]).collect()
            };
            let combined = all.iter().flat_map(|keys| values.iter().map(|value| with(keys, value)));
            all = combined.collect();
        }
        Ok(all)
    }
}

impl AccountHost {
    /// Finds everything with some values. Its conversations become others of the call.
    pub(super) fn find_each(
        &mut self,
        work: &mut CallWork,
        rule: &FindRule,
        times: &mut dyn RunTimes,
    ) -> Result<(), CallError> {
        let (mut entities, mut conversations) = (Vec::new(), Vec::new());
        for keys in work.keys_of_each(rule)? {
            let found = self.places_of(work, rule, &keys, times);
            if found.is_empty() && !rule.optional {
                return Err(unknown(rule, &keys));
            }
            for other in found {
                let Some(state) = work.state_of(other) else { continue };
                // Something can have several of the values: a visitor has several ids, and a field can
                // be a list.
                if rule.kind == FindKind::Conversation {
                    if conversations.iter().all(|found: &FoundConversation| found.other != other) {
                        conversations.push(FoundConversation { state: state.clone(), other });
                    }
                    continue;
                }
                let is_new = |entity: &&Entity| {
                    let mut known = work.found_entities.iter();
                    !known.any(|found| {
                        (&found.name, &found.entity, found.other)
                            == (&rule.name, &entity.name, other)
                    })
                };
                let own = state.entities.iter().filter(|entity| is_entity(entity, rule, &keys));
                let own: Vec<Entity> = own.filter(is_new).cloned().collect();
                let found = own.iter().map(|entity| FoundEntity {
                    name: rule.name.clone(),
                    entity: entity.name.clone(),
                    other,
                });
                work.found_entities.extend(found);
                entities.extend(own);
            }
        }
        let name = rule.name.clone();
        work.found_lists.push(match rule.kind {
            FindKind::Conversation => FoundList::Conversations(name, conversations),
            _ => FoundList::Entities(name, entities),
        });
        Ok(())
    }

    /// Takes the conversations that a rule is about, the oldest first. Returns their places in the call.
    fn places_of(
        &mut self,
        work: &mut CallWork,
        rule: &FindRule,
        keys: &[PersonKey],
        times: &mut dyn RunTimes,
    ) -> Vec<Option<usize>> {
        let is_about = |state: &Conversation| match rule.kind {
            FindKind::Conversation => {
                state.state.is_some() && !state.hidden && has_keys(state, rule, keys)
            }
            _ => state.entities.iter().any(|entity| is_entity(entity, rule, keys)),
        };
        let taken = [None].into_iter().chain((0..work.others.len()).map(Some));
        let taken = taken.filter(|place| work.state_of(*place).is_some_and(is_about));
        let mut places: Vec<_> = taken.collect();
        let others = self.conversations.iter();
        let others = others.filter(|(_, live)| is_about(live.actor.conversation()));
        let mut others: Vec<ConversationKey> = others.map(|(key, _)| *key).collect();
        // A call must find the same when it is replayed.
        others.sort();
        for key in others {
            places.extend(self.take_other(work, key, times).map(Some));
        }
        places
    }

    /// Takes a conversation out of the account, until the call has been handled.
    pub(super) fn take(
        &mut self,
        key: ConversationKey,
        times: &mut dyn RunTimes,
    ) -> Option<OtherConversation> {
        let at = times.now(key)?;
        let mut live = self.conversations.remove(&key)?;
        let unit = live.actor.begin_unit();
        let conversation = WorkConversation { key, live, unit, is_new: false };
        Some(OtherConversation::new(conversation, at))
    }

    /// Takes a conversation besides that of the call. Returns its number among these.
    pub(super) fn take_other(
        &mut self,
        work: &mut CallWork,
        key: ConversationKey,
        times: &mut dyn RunTimes,
    ) -> Option<usize> {
        let taken = self.take(key, times)?;
        work.others.push(taken);
        Some(work.others.len() - 1)
    }
}
