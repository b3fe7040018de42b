//! The actions of a call: reads their values from the call and performs them.

use serde_json::{Map, Value as Json};

use super::call_work::{CallStop, CallWork, WorkConversation, unreadable};
use super::people::{People, PersonKey, changed, create, text_of};
use super::subscriptions::NewSubscription;
use crate::base::address::EgressPolicy;
use crate::base::secret::Secret;
use crate::config::receiver_url;
use crate::conversation::{Action, ActionKind, Actor, Person, Role, Variable};
use crate::platform::api::{ActTemplate, CallCondition, CallError, RefusalReason, WhoRef};
use crate::platform::{Subscription, TemplateContext};
use crate::template::{InputTemplate, Object, Value};

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
                    self.act(&rule.act, None, scope)?;
                }
                continue;
            };
            let list = each.list.value(&self.roots());
            let Some(Json::Array(elements)) = list else { continue };
            for element in &elements {
                let named = Some(NamedElement { name: &each.name, element });
                if rule.when.hold(self.content.body(), &self.element_roots(named)) {
                    self.act(&rule.act, named, scope)?;
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
        act: &ActTemplate,
        named: Option<NamedElement<'_>>,
        scope: &ActScope<'_>,
    ) -> Result<(), CallStop> {
        let reader = ActReader { work: self, roots: self.element_roots(named) };
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
                self.changed_people.push(person);
                Ok(())
            }
            ActTemplate::Subscribe { .. } => {
                let new = reader.subscription(act, scope.egress)?;
                self.subscription = Some(new);
                Ok(())
            }
            _ => {
                let action = reader.action(act)?;
                let people = reader.people_of(act);
                let names = people.into_iter().cloned().collect::<Vec<_>>();
                self.perform_action(&action, &names, scope)
            }
        }
    }

    fn perform_action(
        &mut self,
        action: &Action,
        people: &[Person],
        scope: &ActScope<'_>,
    ) -> Result<(), CallStop> {
        let at = self.at;
        let Some(WorkConversation { live, unit, .. }) = &mut self.conversation else {
            let message = "the call has no conversation";
            return Err(CallError::new(CallCondition::unknown("conversation"), message).into());
        };
        people.iter().for_each(|person| live.actor.admit(person));
        let outputs = live.actor.perform(unit, action, at, scope.subscriptions);
        self.outputs.extend(outputs.map_err(CallError::from)?);
        Ok(())
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

    fn table(&self, template: &InputTemplate) -> Result<Map<String, Json>, CallError> {
        match self.optional(Some(template))? {
            Some(Json::Object(table)) => Ok(table),
            _ => Ok(Map::new()),
        }
    }

    /// Returns the people who act, and who must be able to.
    fn people_of(&self, act: &ActTemplate) -> Vec<&Person> {
        let refs: [Option<&WhoRef>; 2] = match act {
            ActTemplate::Open { by, assignee, .. } => [Some(by), assignee.as_ref()],
            ActTemplate::Assign { by, to, .. } => [Some(by), to.as_ref()],
            ActTemplate::Say { by, .. }
            | ActTemplate::Set { by, .. }
            | ActTemplate::Close { by } => [Some(by), None],
            ActTemplate::Person { .. } | ActTemplate::Subscribe { .. } => [None, None],
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

    fn action(&self, act: &ActTemplate) -> Result<Action, CallError> {
        let (by, kind) = match act {
            ActTemplate::Open { by, channel, assignee } => {
                let channel = text_of(&self.required(channel)?);
                let assignee = assignee.as_ref().map(|who| self.actor(who)).transpose()?;
                (by, ActionKind::Open { channel, assignee })
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
            ActTemplate::Set { by, scope, variables } => {
                let variables = variables_of(self.required(variables)?)?;
                (by, ActionKind::Set { variables, scope: *scope })
            }
            ActTemplate::Close { by } => (by, ActionKind::Close),
            ActTemplate::Person { .. } | ActTemplate::Subscribe { .. } => {
                let message = "the action happens in no conversation";
                return Err(CallError::new(CallCondition::unknown_operation(), message));
            }
        };
        Ok(kind.by(self.actor(by)?))
    }

    fn subscription(
        &self,
        act: &ActTemplate,
        egress: EgressPolicy,
    ) -> Result<NewSubscription, CallError> {
        let ActTemplate::Subscribe { group, url, types, enabled, secret } = act else {
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
        Ok(NewSubscription {
            group: text_of(&self.required(group)?),
            url,
            types,
            enabled: self.optional(enabled.as_ref())? != Some(Json::Bool(false)),
            secrets,
        })
    }
}

fn name_of(person: &Person) -> String {
    person.member.name.to_string()
}

/// Reads variables: a table of values by name, or a list of tables with `name` and `value`.
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
