//! Finds what a call is about: its route, people, conversations, entities, documents and files.

use serde_json::Value as Json;

use super::call_work::{CallWork, FoundEntity, NamedPerson, SeenEntity, unreadable};
use super::host::AccountHost;
use super::incoming::IncomingCall;
use super::people::{PersonKey, create, is_person};
use super::requested::NamedByCall;
use crate::conversation::{Conversation, Dialog, Entity, GeneratedIds, Person, Role};
use crate::delivery::{ConversationKey, RunTimes};
use crate::platform::api::{
    CallCondition, CallContent, CallError, FindExtent, FindKind, FindRule, Listed, NoRoute, STATE,
    VISITOR,
};

impl AccountHost {
    pub(super) fn find_route(
        &self,
        work: &mut CallWork,
        incoming: &IncomingCall,
    ) -> Result<(), CallError> {
        let call = &incoming.call;
        let api = &self.routes.account.platform.api;
        let upgrade = call.header("upgrade").unwrap_or_default();
        let is_websocket = upgrade.eq_ignore_ascii_case("websocket");
        let found = api.route(call).map_err(|none| match none {
            _ if is_websocket => {
                let message = "WebSocket connections are not served: only HTTP requests";
                CallError::new(CallCondition::not_found(), message)
            }
            NoRoute::Path { nearest } => {
                let message = format!("no route has the path `{}`", call.path);
                work.record.nearest = nearest;
                CallError::new(CallCondition::not_found(), message)
            }
            NoRoute::Method(methods) => {
                let message = format!("`{}` takes {}", call.path, methods.join(", "));
                CallError::new(CallCondition::method_not_allowed(), message)
            }
        })?;
        let (number, at) = (work.record.number, work.at);
        work.content = CallContent::new(call, &found.parameters, number, at);
        work.content.set_ids(work.account.call_ids(number, call.received_at));
        work.record.route = Some(found.route.name.clone());
        work.route = Some(found.route);
        let Some(account) = &api.account else { return Ok(()) };
        let mut parameters = found.parameters.iter();
        let named = parameters.find(|(name, _)| *name == account.parameter);
        let expected = account.is.render(&self.routes.account.roots());
        match named.filter(|(_, value)| *value != expected) {
            Some((_, value)) => {
                let message = format!("there is no account `{value}`; this one is `{expected}`");
                Err(CallError::new(CallCondition::unknown("account"), message))
            }
            None => Ok(()),
        }
    }

    pub(super) fn find_all(
        &mut self,
        work: &mut CallWork,
        run: u32,
        times: &mut dyn RunTimes,
    ) -> Result<(), CallError> {
        let Some(operation) = work.operation.clone() else { return Ok(()) };
        for rule in &operation.finds {
            let found = match self.find(work, rule, run, times) {
                Err(error) if rule.if_given && error.is_missing_field() => continue,
                Err(error) if rule.optional && !rule.if_given && error.is_absence() => continue,
                found => found?,
            };
            if let Some(person) = found {
                work.people.push(NamedPerson { name: rule.name.clone(), person });
            }
        }
        Ok(())
    }

    /// Finds one thing. A conversation becomes that of the call, a person is returned.
    fn find(
        &mut self,
        work: &mut CallWork,
        rule: &FindRule,
        run: u32,
        times: &mut dyn RunTimes,
    ) -> Result<Option<Person>, CallError> {
        if rule.extent == FindExtent::All {
            self.find_each(work, rule, times)?;
            return Ok(None);
        }
        let keys = work.keys(rule)?;
        let role = match rule.kind {
            FindKind::Person(role) => role,
            FindKind::Document => {
                work.find_document(rule, &keys).ok_or_else(|| unknown(rule, &keys))?;
                return Ok(None);
            }
            FindKind::Entity => {
                self.take_entity(work, rule, &keys, times)?;
                return Ok(None);
            }
            FindKind::File => {
                let found = work.find_file(rule, &keys);
                // Without the signature of the link, which is a secret.
                let path: Vec<_> = keys.into_iter().filter(|key| key.field == "path").collect();
                found.ok_or_else(|| unknown(rule, &path))?;
                return Ok(None);
            }
            FindKind::Conversation | FindKind::Dialog => {
                self.take_conversation(work, rule, &keys, times)?;
                return Ok(None);
            }
        };
        let places = [None].into_iter().chain((0..work.others.len()).map(Some));
        let cast = places.filter_map(|place| work.state_of(place)).flat_map(|state| &state.cast);
        let staff = self.runs.get(&run).into_iter().flat_map(|run| run.staff.members());
        let made = work.changed_people.iter();
        let known = cast.chain(made).chain(staff).find(|person| is_person(person, role, &keys));
        if let Some(person) = known.or_else(|| self.people.find(role, &keys)) {
            return Ok(Some(person.clone()));
        }
        let everybody = self.conversations.values();
        let mut everybody = everybody.flat_map(|live| &live.actor.conversation().cast);
        if let Some(person) = everybody.find(|person| is_person(person, role, &keys)) {
            return Ok(Some(person.clone()));
        }
        let Some(template) = &rule.create else { return Err(unknown(rule, &keys)) };
        let data = match template.render(&work.roots()).map_err(|error| unreadable(&error))? {
            Some(Json::Object(data)) => data,
            _ => serde_json::Map::new(),
        };
        let person = create(&work.account, role, &keys, &data, work.at);
        work.unit.people.push(NamedByCall { role, keys, data, at: work.at });
        work.changed_people.push(person.clone());
        Ok(Some(person))
    }

    /// Finds the agents and managers of the account for an operation that lists them: those of the run,
    /// of calls, and of conversations.
    pub(super) fn find_agents(&self, work: &mut CallWork, run: u32) {
        let list = work.operation.as_ref().and_then(|operation| operation.list.as_ref());
        if list.is_none_or(|list| list.of != Listed::Agents) {
            return;
        }
        let staff = self.runs.get(&run).into_iter().flat_map(|run| run.staff.members());
        let mut conversations: Vec<_> = self.conversations.iter().collect();
        conversations.sort_by_key(|(key, _)| **key);
        let cast = conversations.into_iter();
        let cast = cast.flat_map(|(_, live)| &live.actor.conversation().cast);
        let everybody = self.people.all().chain(&work.changed_people).chain(staff).chain(cast);
        let mut agents: Vec<Person> = Vec::new();
        for person in everybody.filter(|p| matches!(p.role(), Role::Agent | Role::Manager)) {
            if agents.iter().all(|known| known.member.ids != person.member.ids) {
                agents.push(person.clone());
            }
        }
        work.agents = agents;
    }

    /// Takes the conversation with these ids out of the account, until the call has been handled.
    fn take_conversation(
        &mut self,
        work: &mut CallWork,
        rule: &FindRule,
        keys: &[PersonKey],
        times: &mut dyn RunTimes,
    ) -> Result<(), CallError> {
        let key = self.conversation_with(rule, keys).ok_or_else(|| unknown(rule, keys))?;
        let taken = self.take(key, times).ok_or_else(|| unknown(rule, keys))?;
        let live = &taken.conversation.live;
        let is_named = |dialog: &&Dialog| {
            keys.iter().all(|key| dialog.head.ids.text(&key.field).as_ref() == Some(&key.value))
        };
        let dialogs = &live.actor.conversation().dialogs;
        let named = dialogs.iter().rfind(is_named).filter(|_| rule.kind == FindKind::Dialog);
        work.found_dialog = named.map(|dialog| dialog.head.kind);
        work.at = taken.at;
        work.found_as = Some(rule.name.clone());
        work.conversation = Some(taken.conversation);
        Ok(())
    }

    /// Returns the conversation with these ids. Of several of a visitor, it is the newest.
    fn conversation_with(&self, rule: &FindRule, keys: &[PersonKey]) -> Option<ConversationKey> {
        let conversation = |key: ConversationKey| {
            self.conversations.get(&key).map(|live| live.actor.conversation())
        };
        let has_keys = |found: &Conversation| has_keys(found, rule, keys);
        if keys.iter().any(|key| key.field == VISITOR) {
            let all = self.conversations.iter();
            let all = all.map(|(key, live)| (*key, live.actor.conversation()));
            let found =
                all.filter(|(_, found)| found.state.is_some() && !found.hidden && has_keys(found));
            return found.max_by_key(|(key, found)| (found.opened_at, *key)).map(|(key, _)| key);
        }
        let key = keys.iter().find_map(|key| self.registry.find(&key.value, conversation));
        key.filter(|key| conversation(*key).is_some_and(has_keys))
    }

    /// Takes the conversation with this entity out of the account, until the call has been handled.
    fn take_entity(
        &mut self,
        work: &mut CallWork,
        rule: &FindRule,
        keys: &[PersonKey],
        times: &mut dyn RunTimes,
    ) -> Result<(), CallError> {
        let is_it = |entity: &&Entity| is_entity(entity, rule, keys);
        let name = rule.name.clone();
        let taken = work.taken_entity(&is_it);
        if let Some((entity, other)) = taken {
            if rule.optional {
                work.seen_entities.push(SeenEntity { name, entity });
            } else {
                work.found_entities.push(FoundEntity { name, entity: entity.name, other });
            }
            return Ok(());
        }
        let all = self.conversations.iter().filter_map(|(key, live)| {
            let entity = live.actor.conversation().entities.iter().find(is_it)?;
            Some((*key, entity.clone()))
        });
        // The first one: a call must find the same entity when it is replayed.
        let found = all.min_by_key(|(key, _)| *key);
        let (key, entity) = found.ok_or_else(|| unknown(rule, keys))?;
        // One that may be missing is only looked at, so that a call can look at several.
        if rule.optional {
            work.seen_entities.push(SeenEntity { name, entity });
            return Ok(());
        }
        let other = match work.conversation {
            None => {
                let taken = self.take(key, times).ok_or_else(|| unknown(rule, keys))?;
                work.at = taken.at;
                work.conversation = Some(taken.conversation);
                None
            }
            Some(_) => Some(self.take_other(work, key, times).ok_or_else(|| unknown(rule, keys))?),
        };
        work.found_entities.push(FoundEntity { name, entity: entity.name, other });
        Ok(())
    }
}

/// Returns whether a conversation has these values.
pub(super) fn has_keys(found: &Conversation, rule: &FindRule, keys: &[PersonKey]) -> bool {
    let has = |ids: &GeneratedIds| {
        keys.iter().all(|key| match key.field.as_str() {
            VISITOR => is_of_visitor(found, &key.value),
            STATE => found.state.is_some_and(|state| state.as_str() == key.value),
            id => ids.text(id).as_ref() == Some(&key.value),
        })
    };
    match rule.kind {
        FindKind::Dialog => found.dialogs.iter().any(|dialog| has(&dialog.head.ids)),
        _ => has(&found.ids),
    }
}

/// Returns whether an entity has the kind of a rule and these values.
pub(super) fn is_entity(entity: &Entity, rule: &FindRule, keys: &[PersonKey]) -> bool {
    Some(&entity.kind) == rule.document.as_ref()
        && keys.iter().all(|key| entity.has(&key.field, &key.value))
}

/// Returns whether the visitor of a conversation has this id.
fn is_of_visitor(conversation: &Conversation, id: &str) -> bool {
    conversation.visitor().is_some_and(|visitor| visitor.member.ids.include(id))
}

pub(super) fn unknown(rule: &FindRule, keys: &[PersonKey]) -> CallError {
    let keys = keys.iter().map(|key| format!("{} `{}`", key.field, key.value));
    let keys = keys.collect::<Vec<_>>().join(" and ");
    let message = format!("there is no {} with {keys}", rule.kind.as_str());
    CallError::new(CallCondition::unknown(&rule.name), message)
}
