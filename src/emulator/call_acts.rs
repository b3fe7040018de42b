//! The actions of a call: reads their values from the call and performs them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::call_work::{
    CallStop, CallWork, FoundDocument, FoundEntity, FoundFile, FoundList, WorkConversation,
    unreadable,
};
use super::people::{People, PersonKey, changed, create, text_of};
use super::requested::{NamedByCall, PersonRef, RequestedAction};
use super::subscriptions::NewSubscription;
use crate::base::address::EgressPolicy;
use crate::base::secret::Secret;
use crate::config::{check_header_name, is_header_value, receiver_url};
use crate::conversation::{Action, ActionKind, Actor, LabelAction, Person, Role, Variable};
use crate::platform::api::{
    ActRule, ActTemplate, CallCondition, CallError, Issuing, RefusalReason, WhoRef,
};
use crate::platform::{Subscription, TemplateContext};
use crate::template::{InputTemplate, Object, Value};

/// Name of the file of a link.
const LINKED: &str = "file";

/// What actions need of the account, besides the call.
pub(super) struct ActScope<'a> {
    pub(super) subscriptions: &'a [Subscription],
    pub(super) people: &'a People,
    pub(super) egress: EgressPolicy,
}

/// The roots of an action that is performed for an element of a list.
struct ElementRoots<'a> {
    outer: TemplateContext<'a>,
    name: &'a str,
    element: &'a Json,
}

impl Object for ElementRoots<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        if name == self.name { Value::data(self.element) } else { self.outer.get(name) }
    }
}

impl CallWork {
    /// Performs the actions of the operation, in order. After an error, the conversation must be
    /// rolled back.
    pub(super) fn perform(&mut self, scope: &ActScope<'_>) -> Result<(), CallStop> {
        let Some(operation) = self.operation.clone() else { return Ok(()) };
        for rule in &operation.acts {
            let Some(each) = &rule.each else {
                if rule.when.hold(self.content.body(), &self.roots()) {
                    self.act(rule, None, scope)?;
                }
                continue;
            };
            let list = each.list.value(&self.roots());
            let elements = match list {
                Some(Json::Array(elements)) => elements,
                // The entries of a table.
                Some(Json::Object(entries)) => {
                    let entry = |(name, value)| json!({"name": name, "value": value});
                    entries.into_iter().map(entry).collect()
                }
                _ => continue,
            };
            for element in &elements {
                let named = Some(NamedElement { name: &each.name, element });
                if rule.when.hold(self.content.body(), &self.element_roots(named)) {
                    self.act(rule, named, scope)?;
                }
            }
        }
        Ok(())
    }

    fn element_roots<'a>(&'a self, named: Option<NamedElement<'a>>) -> ElementRoots<'a> {
        const NOTHING: &Json = &Json::Null;
        let (name, element) = named.map_or(("", NOTHING), |named| (named.name, named.element));
        ElementRoots { outer: self.roots(), name, element }
    }

    fn act(
        &mut self,
        rule: &ActRule,
        named: Option<NamedElement<'_>>,
        scope: &ActScope<'_>,
    ) -> Result<(), CallStop> {
        let reader = ActReader { work: self, roots: self.element_roots(named) };
        let ActRule { act, quiet, .. } = rule;
        let quiet = *quiet;
        match act {
            ActTemplate::Person { role, external_key, with } => {
                let value = text_of(&reader.required(external_key)?);
                let key = PersonKey { field: "external_key".to_owned(), value };
                let data = reader.table(with)?;
                let keys = [key];
                let person = match scope.people.find(*role, &keys) {
                    Some(known) => changed(known, &data),
                    None => create(&self.account, *role, &keys, &data, self.at),
                };
                let keys = keys.to_vec();
                self.unit.people.push(NamedByCall { role: *role, keys, data, at: self.at });
                self.changed_people.push(person);
                Ok(())
            }
            ActTemplate::Subscribe { .. } => {
                let new = reader.subscription(act, scope.egress)?;
                self.subscriptions.push(new);
                Ok(())
            }
            ActTemplate::Unsubscribe { group } => {
                let group = text_of(&reader.required(group)?);
                self.ended_groups.push(group);
                Ok(())
            }
            ActTemplate::Create { .. }
            | ActTemplate::Replace { .. }
            | ActTemplate::Delete { .. } => {
                let value = reader.document_value(act)?;
                self.change_document(act, value);
                Ok(())
            }
            ActTemplate::Link { .. } => {
                self.link_file(act);
                Ok(())
            }
            ActTemplate::Store { file } => self.store_file(file),
            ActTemplate::Issue { credential, claims } => {
                let claims = reader.table(claims)?;
                self.issue(credential, claims);
                Ok(())
            }
            ActTemplate::Revoke { credential } => {
                let token = self.tokens.iter().find(|(name, _)| name == credential);
                self.revoked.extend(token.cloned());
                Ok(())
            }
            ActTemplate::CreateEntity { kind, .. } => {
                let action = Action { quiet, ..reader.action(act)? };
                let people = reader.people_of(act);
                let names = people.into_iter().cloned().collect::<Vec<_>>();
                if let ActionKind::Create { name, .. } = &action.kind {
                    let (name, entity) = (kind.clone(), name.clone());
                    self.found_entities.push(FoundEntity { name, entity, other: None });
                }
                self.perform_action(None, &action, &names, scope)
            }
            ActTemplate::UpdateEntity { entity, .. } | ActTemplate::DeleteEntity { entity, .. } => {
                let people = reader.people_of(act).into_iter().cloned().collect::<Vec<_>>();
                let actions = reader.actions_on(act, entity, quiet)?;
                for (other, action) in actions {
                    self.perform_action(other, &action, &people, scope)?;
                }
                Ok(())
            }
            ActTemplate::HandOver { conversation, to } => {
                self.hand_over(conversation, to);
                Ok(())
            }
            // The call is about a conversation that is there.
            ActTemplate::Open { .. } if self.has_found_conversation() => Ok(()),
            _ => {
                let action = Action { quiet, ..reader.action(act)? };
                let people = reader.people_of(act);
                let names = people.into_iter().cloned().collect::<Vec<_>>();
                self.perform_action(None, &action, &names, scope)
            }
        }
    }

    /// Issues a token, which is kept if the call succeeds.
    fn issue(&mut self, credential: &str, claims: Map<String, Json>) {
        let account = Arc::clone(&self.account);
        let (at, number, roots) = (self.received_at, self.record.number, account.roots());
        let seeds = account.fixed_seeds();
        let issuing = Issuing { claims, at, number, roots: &roots, seeds };
        let rule = account.platform.api.credentials.get(credential);
        let issued = rule.and_then(|rule| rule.issue(issuing));
        self.issued.extend(issued.map(|issued| (credential.to_owned(), issued)));
    }

    /// Notes who gets conversations if the call succeeds.
    fn hand_over(&mut self, conversation: &str, to: &WhoRef) {
        let WhoRef::Found(person) = to else { return };
        let heir = self.person(person).cloned();
        if self.found_as.as_deref() == Some(conversation) {
            self.heir.clone_from(&heir);
        }
        for other in self.conversations_named(conversation) {
            let places = self.others.get_mut(other).into_iter();
            places.for_each(|place| place.heir.clone_from(&heir));
        }
    }

    /// Changes a document of the account. The change is kept if the call succeeds.
    fn change_document(&mut self, act: &ActTemplate, value: Json) {
        let (account, at) = (Arc::clone(&self.account), self.at);
        let all = Arc::make_mut(&mut self.documents);
        match act {
            ActTemplate::Create { document: kind, .. } => {
                let Some(rule) = account.platform.api.documents.get(kind) else { return };
                let document = all.create(rule, kind, value, at, &account.roots());
                let (name, kind) = (kind.clone(), kind.clone());
                self.found_documents.push(FoundDocument { name, kind, document });
            }
            ActTemplate::Replace { document: name, .. } => {
                let mut known = self.found_documents.iter_mut();
                if let Some(known) = known.find(|known| known.name == *name) {
                    known.document = all.replace(&known.kind, &known.document, value, at);
                }
            }
            ActTemplate::Delete { document: name } => {
                let mut known = self.found_documents.iter();
                if let Some(known) = known.find(|known| known.name == *name) {
                    all.delete(&known.kind, &known.document);
                }
            }
            _ => {}
        }
    }

    /// Creates a link to a file.
    fn link_file(&mut self, act: &ActTemplate) {
        let ActTemplate::Link { path, file, signature, life } = act else { return };
        let seeds = self.account.fixed_seeds().within("link").within(&self.received_at.to_string());
        let seeds = seeds.within(&self.record.number.to_string());
        let found = self.found_files.iter().find(|known| Some(&known.name) == file.as_ref());
        let path = match (path, found) {
            (Some(path), _) => path.text(&self.roots(), &seeds, "path"),
            (None, Some(known)) => known.file.path.clone(),
            (None, None) => return,
        };
        let signature = signature.text(&self.roots(), &seeds, "signature");
        let now = self.received_at;
        let (file, link) = Arc::make_mut(&mut self.files).link(&path, signature, now, *life);
        self.found_files.push(FoundFile { name: LINKED.to_owned(), file });
        self.link = Some(link);
    }

    /// Stores the file that the call transfers.
    fn store_file(&mut self, name: &str) -> Result<(), CallStop> {
        let found = self.found_files.iter().find(|known| known.name == name);
        let Some((found, content)) = found.zip(self.upload.take()) else {
            let message = "the call transfers no file";
            return Err(CallError::new(CallCondition::missing_field(), message).into());
        };
        Arc::make_mut(&mut self.files).store(&found.file.path, content);
        Ok(())
    }

    /// Performs an action in the conversation of the call, or in one of the others.
    fn perform_action(
        &mut self,
        other: Option<usize>,
        action: &Action,
        people: &[Person],
        scope: &ActScope<'_>,
    ) -> Result<(), CallStop> {
        let place = match other.and_then(|other| self.others.get_mut(other)) {
            Some(other) => {
                Some((&mut other.conversation, &mut other.unit, &mut other.outputs, other.at))
            }
            None => {
                let own = self.conversation.as_mut();
                own.map(|own| (own, &mut self.unit, &mut self.outputs, self.at))
            }
        };
        let Some((WorkConversation { live, unit, .. }, requested, outputs, at)) = place else {
            let message = "the call has no conversation";
            return Err(CallError::new(CallCondition::unknown("conversation"), message).into());
        };
        people.iter().for_each(|person| live.actor.admit(person));
        let named = people.iter().map(PersonRef::to).collect();
        requested.actions.push(RequestedAction { action: action.clone(), people: named });
        let performed = live.actor.perform(unit, action, at, scope.subscriptions);
        outputs.extend(performed.map_err(CallError::from)?);
        Ok(())
    }

    /// Returns the places of the conversations of a list.
    fn conversations_named(&self, name: &str) -> Vec<usize> {
        let lists = self.found_lists.iter().filter_map(|list| match list {
            FoundList::Conversations(own, all) if own == name => Some(all),
            _ => None,
        });
        lists.flatten().filter_map(|found| found.other).collect()
    }
}

/// The element of a list, by the name that an action gives it.
#[derive(Clone, Copy)]
struct NamedElement<'a> {
    name: &'a str,
    element: &'a Json,
}

/// Reads the values of an action.
struct ActReader<'a> {
    work: &'a CallWork,
    roots: ElementRoots<'a>,
}

impl ActReader<'_> {
    fn required(&self, template: &InputTemplate) -> Result<Json, CallError> {
        let value = template.render(&self.roots).map_err(|error| unreadable(&error))?;
        value.filter(|value| !value.is_null()).ok_or_else(|| {
            CallError::new(CallCondition::missing_field(), "a required value is missing")
        })
    }

    fn optional(&self, template: Option<&InputTemplate>) -> Result<Option<Json>, CallError> {
        let Some(template) = template else { return Ok(None) };
        let value = template.render(&self.roots).map_err(|error| unreadable(&error))?;
        Ok(value.filter(|value| !value.is_null()))
    }

    fn text(&self, template: Option<&InputTemplate>) -> Result<Option<String>, CallError> {
        match self.optional(template)? {
            Some(Json::Array(_) | Json::Object(_)) => {
                let message = "expected a text, found a list or a table";
                Err(CallError::new(CallCondition::missing_field(), message))
            }
            value => Ok(value.as_ref().map(text_of)),
        }
    }

    /// Returns the ids that the call gives. An empty text is no id.
    fn chosen_ids(
        &self,
        templates: &BTreeMap<String, InputTemplate>,
    ) -> Result<BTreeMap<String, String>, CallError> {
        let mut chosen = BTreeMap::new();
        for (name, template) in templates {
            let id = self.text(Some(template))?.filter(|id| !id.is_empty());
            chosen.extend(id.map(|id| (name.clone(), id)));
        }
        Ok(chosen)
    }

    fn table(&self, template: &InputTemplate) -> Result<Map<String, Json>, CallError> {
        match self.optional(Some(template))? {
            Some(Json::Object(table)) => Ok(table),
            _ => Ok(Map::new()),
        }
    }

    /// Returns the new content of a document.
    fn document_value(&self, act: &ActTemplate) -> Result<Json, CallError> {
        match act {
            ActTemplate::Create { value, .. } | ActTemplate::Replace { value, .. } => {
                self.required(value)
            }
            _ => Ok(Json::Null),
        }
    }

    /// Returns the people who act, and who must be able to.
    fn people_of(&self, act: &ActTemplate) -> Vec<&Person> {
        let refs: [Option<&WhoRef>; 2] = match act {
            ActTemplate::Open { by, assignee, .. } => [Some(by), assignee.as_ref()],
            ActTemplate::Assign { by, to, .. } => [Some(by), to.as_ref()],
            ActTemplate::Say { by, .. }
            | ActTemplate::Typing { by, .. }
            | ActTemplate::Read { by }
            | ActTemplate::Join { by }
            | ActTemplate::Leave { by }
            | ActTemplate::Rate { by, .. }
            | ActTemplate::Emit { by, .. }
            | ActTemplate::Label { by, .. }
            | ActTemplate::Flow { by, .. }
            | ActTemplate::CreateEntity { by, .. }
            | ActTemplate::UpdateEntity { by, .. }
            | ActTemplate::DeleteEntity { by, .. }
            | ActTemplate::Note { by, .. }
            | ActTemplate::Reopen { by }
            | ActTemplate::Set { by, .. }
            | ActTemplate::Close { by, .. } => [Some(by), None],
            _ => [None, None],
        };
        let found = |who: &WhoRef| match who {
            WhoRef::Found(name) => self.work.person(name),
            WhoRef::Role(_) | WhoRef::Assignee => None,
        };
        refs.into_iter().flatten().filter_map(found).collect()
    }

    fn actor(&self, who: &WhoRef) -> Result<Actor, CallError> {
        let conversation = self.work.conversation.as_ref();
        let conversation = conversation.map(|conversation| conversation.live.actor.conversation());
        let name = match who {
            WhoRef::Assignee => return Ok(Actor::Assignee),
            WhoRef::Found(name) => self.work.person(name).map(name_of),
            WhoRef::Role(Role::Visitor) => {
                conversation.and_then(|conversation| conversation.visitor()).map(name_of)
            }
            WhoRef::Role(role) => {
                conversation.and_then(|conversation| conversation.person_with_role(*role))
            }
        };
        name.map(Actor::Member).ok_or_else(|| {
            let message = match who {
                WhoRef::Found(name) => format!("the call does not name `{name}`"),
                _ => "the conversation has no such person".to_owned(),
            };
            CallError::new(CallCondition::refused(RefusalReason::NotParticipant), message)
        })
    }

    /// Returns the actions on the entities with a name, each with its place in the call.
    fn actions_on(
        &self,
        act: &ActTemplate,
        entity: &str,
        quiet: bool,
    ) -> Result<Vec<(Option<usize>, Action)>, CallError> {
        let entities = self.work.entities(entity).into_iter();
        entities
            .map(|FoundEntity { entity, other, .. }| {
                Ok((other, Action { quiet, ..self.action_on(act, entity)? }))
            })
            .collect()
    }

    /// Returns an action on the entity with this name in its conversation.
    fn action_on(&self, act: &ActTemplate, name: String) -> Result<Action, CallError> {
        let (by, kind) = match act {
            ActTemplate::UpdateEntity { by, with, .. } => {
                let (removed, fields): (Map<_, _>, Map<_, _>) =
                    self.table(with)?.into_iter().partition(|(_, value)| value.is_null());
                let unset = removed.into_iter().map(|(field, _)| field).collect();
                (by, ActionKind::Update { name, fields, unset })
            }
            ActTemplate::DeleteEntity { by, .. } => (by, ActionKind::Delete { name }),
            _ => return self.action(act),
        };
        Ok(kind.by(self.actor(by)?))
    }

    fn action(&self, act: &ActTemplate) -> Result<Action, CallError> {
        let (by, kind) = match act {
            ActTemplate::Open { by, channel, assignee, skill, ids, hidden, .. } => {
                let channel = text_of(&self.required(channel)?);
                let assignee = assignee.as_ref().map(|who| self.actor(who)).transpose()?;
                let skill = self.text(skill.as_ref())?;
                let ids = self.chosen_ids(ids)?;
                let hidden = self.optional(hidden.as_ref())? == Some(Json::Bool(true));
                (by, ActionKind::Open { channel, assignee, skill, ids, hidden })
            }
            ActTemplate::Say { by, kind, text, data } => {
                let text = self.text(text.as_ref())?.unwrap_or_default();
                (by, ActionKind::Say { kind: kind.clone(), text, data: self.table(data)? })
            }
            ActTemplate::Assign { by, to, skill } => {
                let to = to.as_ref().map(|who| self.actor(who)).transpose()?;
                let skill = self.text(skill.as_ref())?;
                (by, ActionKind::Assign { to, skill, accept: None })
            }
            ActTemplate::CreateEntity { kind, by, with, ids } => {
                let fields = self.table(with)?;
                let defaults = self.work.account.platform.entities.get(kind);
                let optional = defaults
                    .iter()
                    .flat_map(|defaults| defaults.keys().filter(|key| defaults.can_be_absent(key)));
                let unset = optional.filter(|key| !fields.contains_key(*key)).map(str::to_owned);
                let unset = unset.collect();
                let number = self.work.found_entities.len() + 1;
                let name = format!("{kind} {number} of call {}", self.work.record.number);
                let ids = Some(self.chosen_ids(ids)?).filter(|ids| !ids.is_empty()).map(Box::new);
                (by, ActionKind::Create { name, kind: kind.clone(), fields, unset, ids })
            }
            ActTemplate::Note { by, text } => {
                (by, ActionKind::Note { text: text_of(&self.required(text)?) })
            }
            ActTemplate::Reopen { by } => (by, ActionKind::Reopen),
            ActTemplate::Label { by, action, labels } => {
                let labels = labels_of(&self.required(labels)?);
                if labels.is_empty() {
                    let message = "expected a label, found none";
                    return Err(CallError::new(CallCondition::missing_field(), message));
                }
                (by, ActionKind::Label { add: *action == LabelAction::Added, labels })
            }
            ActTemplate::Flow { by, name, states } => {
                let name = text_of(&self.required(name)?);
                (by, ActionKind::Flow { name, states: *states })
            }
            ActTemplate::Set { by, scope, variables } => {
                let variables = variables_of(self.required(variables)?)?;
                (by, ActionKind::Set { variables, scope: *scope })
            }
            ActTemplate::Typing { by, on } => (by, ActionKind::Typing { on: *on }),
            ActTemplate::Read { by } => (by, ActionKind::Read { upto: None }),
            ActTemplate::Join { by } => (by, ActionKind::Join),
            ActTemplate::Leave { by } => (by, ActionKind::Leave),
            ActTemplate::Rate { by, score, comment } => {
                let score = score_of(&self.required(score)?)?;
                (by, ActionKind::Rate { score, comment: self.text(comment.as_ref())? })
            }
            ActTemplate::Emit { by, event_type, data } => {
                let (event_type, data) = (event_type.clone(), self.table(data)?);
                (by, ActionKind::Emit { event_type, data })
            }
            ActTemplate::Close { by, survey } => (by, ActionKind::Close { survey: *survey }),
            _ => {
                let message = "the action happens in no conversation";
                return Err(CallError::new(CallCondition::unknown_operation(), message));
            }
        };
        // What a call does about a dialog happens in this dialog.
        let dialog = self.work.found_dialog;
        Ok(Action { dialog, ..kind.by(self.actor(by)?) })
    }

    fn subscription(
        &self,
        act: &ActTemplate,
        egress: EgressPolicy,
    ) -> Result<NewSubscription, CallError> {
        let ActTemplate::Subscribe { group, url, types, handshake, enabled, headers, secret } = act
        else {
            return Err(CallError::new(
                CallCondition::unknown_operation(),
                "it subscribes nothing",
            ));
        };
        let refused = |message: String| {
            CallError::new(CallCondition::refused(RefusalReason::Address), message)
        };
        let url = receiver_url(&text_of(&self.required(url)?)).map_err(&refused)?;
        egress.check_url(&url).map_err(|blocked| refused(blocked.to_string()))?;
        let types = match self.optional(types.as_ref())? {
            Some(Json::Array(types)) => Some(types.iter().map(text_of).collect()),
            Some(one) => Some(vec![text_of(&one)]),
            None => None,
        };
        let mut secrets = Vec::new();
        for (name, template) in secret {
            let value = self.optional(Some(template))?;
            let value = value.map(|value| Secret::private(text_of(&value)));
            secrets.extend(value.map(|value| (name.clone(), value)));
        }
        let headers = self.optional(headers.as_ref())?;
        let headers = headers.as_ref().and_then(Json::as_array);
        let headers = headers.into_iter().flatten().map(header_of).collect::<Result<_, _>>()?;
        Ok(NewSubscription {
            headers,
            group: text_of(&self.required(group)?),
            url,
            types,
            has_handshake: *handshake,
            enabled: self.optional(enabled.as_ref())? != Some(Json::Bool(false)),
            secrets,
        })
    }
}

fn name_of(person: &Person) -> String {
    person.member.name.to_string()
}

/// Reads a header: a table with `name` and `value`.
fn header_of(json: &Json) -> Result<(String, Secret), CallError> {
    let text = |key: &str| json.get(key).and_then(Json::as_str);
    let header = text("name").zip(text("value"));
    let header =
        header.filter(|(name, value)| check_header_name(name).is_ok() && is_header_value(value));
    let header = header.map(|(name, value)| (name.to_owned(), Secret::private(value.to_owned())));
    header.ok_or_else(|| {
        let message = "a header needs a valid `name` and `value`";
        CallError::new(CallCondition::missing_field(), message)
    })
}

/// Reads a score.
fn score_of(json: &Json) -> Result<i64, CallError> {
    let score = text_of(json).parse().ok().filter(|score| (1..=5).contains(score));
    score.ok_or_else(|| {
        let message = format!("the score must be between 1 and 5, found {json}");
        CallError::new(CallCondition::missing_field(), message)
    })
}

/// Reads variables: a table of values by name, or a list of tables with `name` and `value`.
/// Returns labels: a list of them, or a single one.
fn labels_of(json: &Json) -> Vec<String> {
    match json {
        Json::Array(labels) => labels.iter().map(text_of).collect(),
        label => vec![text_of(label)],
    }
}

fn variables_of(json: Json) -> Result<Vec<Variable>, CallError> {
    let invalid = || {
        let message = "expected a table of variables, or a list of tables with `name` and `value`";
        CallError::new(CallCondition::missing_field(), message)
    };
    match json {
        Json::Object(table) => Ok(table
            .into_iter()
            .map(|(name, value)| {
                let declared = Variable::type_of(&value).to_owned();
                Variable { name, declared, value }
            })
            .collect()),
        Json::Array(items) => {
            let variable = |item: &Json| {
                let (name, value) = (item.get("name")?.as_str()?, item.get("value")?);
                let declared = Variable::type_of(value).to_owned();
                Some(Variable { name: name.to_owned(), declared, value: value.clone() })
            };
            items.iter().map(|item| variable(item).ok_or_else(invalid)).collect()
        }
        _ => Err(invalid()),
    }
}
