//! Which events a vendor sends, and what it says of those that it does not.

use std::collections::BTreeMap;

use super::fields::FieldDefaults;
use super::forms::{Certainty, CounterScope, WhenForm};
use crate::conversation::{Conversation, Entity, Event, EventKind, Message, Person, Role};
use crate::diag::Spanned;
use crate::template::JsonTemplate;

/// One event that a vendor sends.
#[derive(Clone, Debug)]
pub struct EventRule {
    /// The neutral event.
    pub on: EventKind,
    /// The vendor's name for it.
    pub event_type: String,
    /// What other revisions call it.
    pub previous_names: Vec<String>,
    /// How well its shape is known.
    pub certainty: Certainty,
    pub(super) when: Option<WhenForm>,
    pub(super) body: JsonTemplate,
    pub(super) counter: Option<String>,
    /// What `emit` may give.
    pub data: Option<FieldDefaults>,
}

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    pub(super) scope: CounterScope,
    pub(super) start: i64,
    /// Whether its number is that of a message which takes one.
    pub(super) messages: bool,
}

/// What a vendor does about a neutral event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage<'a> {
    /// It sends something.
    Sends,
    /// It sends nothing, for this reason.
    Silent(&'a str),
    /// It cannot happen there, for this reason.
    Cannot(&'a str),
}

/// The neutral events that a vendor sends nothing for, and why: by the event's name, or by that and
/// the role of who does it or the kind of what it is about, as `message.sent:bot`.
#[derive(Clone, Debug, Default)]
pub(super) struct SilenceRules {
    pub(super) silent: BTreeMap<String, String>,
    pub(super) cannot: BTreeMap<String, String>,
}

impl EventRule {
    /// Whether the rule sends this event.
    pub(super) fn matches(
        &self,
        event: &Event,
        conversation: &Conversation,
        message: Option<&Message>,
    ) -> bool {
        if self.on != event.kind {
            return false;
        }
        let Some(when) = &self.when else { return true };
        let role = |person: Option<&Person>| person.map(Person::role);
        one_of(&when.by, Some(event.by.role()))
            && one_of(&when.part, Some(event.by.part))
            && one_of(&when.to, role(event.to.as_ref()))
            && one_of(&when.assignee, role(conversation.assignee()))
            && one_of(&when.kind, kind_of(event, message))
            && one_of(&when.channel, Some(conversation.channel.clone()))
            && when.first.as_ref().is_none_or(|first| first.value == is_first(event, conversation))
            && (when.changed.is_empty()
                || when.changed.iter().any(|field| has_changed(event, field)))
    }

    /// Whether it is called so, in this revision or in another.
    pub fn is_called(&self, name: &str) -> bool {
        self.names().any(|own| own == name)
    }

    /// What it is called, in this revision and in others.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        [&self.event_type].into_iter().chain(&self.previous_names).map(String::as_str)
    }

    /// The fields of which one must have changed.
    pub(super) fn changed(&self) -> impl Iterator<Item = &str> {
        self.when.iter().flat_map(|when| &when.changed).map(|field| field.as_str())
    }

    /// The first role that the rule asks for.
    pub(super) fn first_role(&self) -> Option<Role> {
        self.when.as_ref()?.by.first().map(|role| role.value)
    }

    /// Whether the rule lets somebody of this role do it.
    pub(super) fn covers_role(&self, role: Role) -> bool {
        self.when.as_ref().is_none_or(|when| one_of(&when.by, Some(role)))
    }

    /// Whether the rule sends messages or entities of this kind.
    pub(super) fn covers_kind(&self, kind: &str) -> bool {
        self.when.as_ref().is_none_or(|when| one_of(&when.kind, Some(kind.to_owned())))
    }

    /// The first kind that the rule asks for.
    pub fn first_kind(&self) -> Option<String> {
        self.when.as_ref()?.kind.first().map(|kind| kind.value.clone())
    }

    /// Whether the rule asks for an agent who is assigned.
    pub(super) fn wants_assigned_agent(&self) -> bool {
        self.when.as_ref().is_some_and(|when| when.assignee.iter().any(|r| r.value == Role::Agent))
    }
}

/// The kind of the message or of the entity that an event is about.
pub(super) fn kind_of(event: &Event, message: Option<&Message>) -> Option<String> {
    let entity = event.entity.as_ref().map(|entity| entity.kind.clone());
    entity.or_else(|| message.map(|message| message.kind.clone()))
}

/// Whether a field of the entity that an event is about has changed.
fn has_changed(event: &Event, field: &str) -> bool {
    let value = |entity: &Option<Entity>| entity.as_ref()?.fields.get(field).cloned();
    value(&event.before) != value(&event.entity)
}

/// Whether an event is about the first message of whoever speaks.
fn is_first(event: &Event, conversation: &Conversation) -> bool {
    let first = conversation.messages.iter().position(|message| message.by.is(&event.by));
    first.is_some_and(|first| event.messages.contains(&first))
}

/// Whether a value is among those wanted, or none are wanted in particular.
fn one_of<T: PartialEq>(wanted: &[Spanned<T>], value: Option<T>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.iter().any(|w| w.value == value))
}

impl SilenceRules {
    /// Why nothing is sent for an event that somebody of this role does.
    pub(super) fn of(&self, on: EventKind, role: Role) -> Option<Coverage<'_>> {
        let cannot = reason(&self.cannot, on, role.word()).map(Coverage::Cannot);
        cannot.or_else(|| reason(&self.silent, on, role.word()).map(Coverage::Silent))
    }

    /// Why nothing is sent for messages or entities of this kind.
    pub(super) fn about(&self, on: EventKind, kind: &str) -> Option<&str> {
        self.silent.get(&format!("{on}:{kind}")).map(String::as_str)
    }
}

fn reason<'a>(
    reasons: &'a BTreeMap<String, String>,
    on: EventKind,
    precisely: &str,
) -> Option<&'a str> {
    let precise = reasons.get(&format!("{on}:{precisely}"));
    precise.or_else(|| reasons.get(on.word())).map(String::as_str)
}
