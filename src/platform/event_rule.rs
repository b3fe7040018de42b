//! The events a vendor sends, and the reasons for those it does not send.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{Map, Value as Json};

use super::fields::FieldDefaults;
use super::forms::{Certainty, CounterScope};
use crate::conversation::{
    Conversation, DialogKind, Entity, Event, EventKind, LabelAction, Message, ParticipantRole,
    Person, Role,
};
use crate::template::JsonTemplate;

/// A rule that sends a webhook for a neutral event: a checked `[[event]]`.
#[derive(Clone, Debug)]
pub struct EventRule {
    /// The neutral event.
    pub on: EventKind,
    /// The vendor's name for the event.
    pub event_type: String,
    /// The names of the event in other revisions.
    pub previous_names: Vec<String>,
    /// How well the payload is known.
    pub certainty: Certainty,
    pub(super) when: EventCondition,
    pub(super) body: JsonTemplate,
    /// A list of the parts that are assumed; empty if the payload has none.
    pub(super) assumed: Option<JsonTemplate>,
    pub(super) counter: Option<String>,
    /// Data that an `emit` step may set; only for rules with `on = "emit"`.
    pub data: Option<FieldDefaults>,
    /// Names of variables that the payload replaces with its own value.
    pub(super) reserved: Vec<String>,
    /// Whether the conversation keeps the data that an `emit` step sets.
    pub(super) keep: bool,
}

/// The condition of a rule. Every field must match; an empty list or `None` matches everything.
#[derive(Clone, Debug, Default)]
pub(super) struct EventCondition {
    /// Roles of the actor.
    pub(super) by: Vec<Role>,
    /// Roles of the actor in the conversation.
    pub(super) part: Vec<ParticipantRole>,
    /// Roles of the participant the event is directed to.
    pub(super) to: Vec<Role>,
    /// Roles of the assignee.
    pub(super) assignee: Vec<Role>,
    /// Kinds of the message or entity.
    pub(super) kind: Vec<String>,
    /// Channels of the conversation.
    pub(super) channel: Vec<String>,
    /// Kinds of the dialog in which the event happens.
    pub(super) dialog: Vec<DialogKind>,
    /// Requires that the message is, or is not, the speaker's first.
    pub(super) first: Option<bool>,
    /// Entity fields, at least one of which must have changed.
    pub(super) changed: Vec<String>,
    /// Entity fields, none of which must have changed.
    pub(super) unchanged: Vec<String>,
    /// Entity fields, at least one of which the update must set.
    pub(super) sets: Vec<String>,
    /// Entity fields, besides which the update must set no other.
    pub(super) sets_only: Vec<String>,
    /// Entity fields, besides which the update must set at least one other.
    pub(super) sets_other: Vec<String>,
    /// Requires that the conversation has, or has no, assignee.
    pub(super) assigned: Option<bool>,
    /// Names of variables, at least one of which must be set.
    pub(super) variable: Vec<String>,
    /// What must happen to labels.
    pub(super) action: Vec<LabelAction>,
}

/// A request for an event, in addition to its type. `None` accepts everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventQuery {
    /// Neutral event that causes it.
    pub on: Option<EventKind>,
    /// Role of the actor.
    pub by: Option<Role>,
    /// Kind of message or entity.
    pub kind: Option<String>,
    /// Data of the message, the entity or the event.
    pub data: Map<String, Json>,
}

impl EventQuery {
    /// Returns the query for the data of an `emit` step, whose `kind` is a kind.
    pub(super) fn of_emitted(mut data: Map<String, Json>) -> Self {
        let kind = data.remove("kind").and_then(|kind| Some(kind.as_str()?.to_owned()));
        Self { on: None, by: None, kind, data }
    }
}

/// A counter of `[counter]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    /// What the counter restarts with.
    pub(super) scope: CounterScope,
    /// First number.
    pub(super) start: i64,
    /// Whether the number becomes the `number` of the message that the event is about.
    pub(super) messages: bool,
}

/// What a vendor does about a neutral event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage<'a> {
    /// It sends at least one webhook.
    Sends,
    /// The event can happen, but the vendor sends nothing, for this reason.
    Silent(&'a str),
    /// The event cannot happen on this platform, for this reason.
    Cannot(&'a str),
}

/// Events this vendor never sends, with the reason. Keys: `event`, `event:role` or, in `silent`
/// only, `event:kind`; for example `message.sent:bot`.
#[derive(Clone, Debug, Default)]
pub(super) struct SilenceRules {
    pub(super) silent: BTreeMap<String, String>,
    pub(super) cannot: BTreeMap<String, String>,
}

impl EventRule {
    /// Returns true if the rule sends a webhook for this event.
    pub(super) fn matches(
        &self,
        event: &Event,
        conversation: &Conversation,
        message: Option<&Message>,
    ) -> bool {
        let when = &self.when;
        let role = |person: Option<&Person>| person.map(Person::role);
        self.on == event.kind
            && admits(&when.by, Some(&event.by.role()))
            && admits(&when.part, Some(&event.by.participant_role))
            && admits(&when.to, role(event.to.as_ref()).as_ref())
            && admits(&when.assignee, role(conversation.assignee()).as_ref())
            && admits(&when.kind, kind_of(event, message))
            && admits(&when.channel, Some(&conversation.channel))
            && admits(&when.dialog, event.dialog.as_ref().map(|dialog| &dialog.kind))
            && when.first.is_none_or(|first| first == is_first_message(event, conversation))
            && (when.changed.is_empty()
                || when.changed.iter().any(|field| has_changed(event, field)))
            && !when.unchanged.iter().any(|field| has_changed(event, field))
            && (when.sets.is_empty()
                || when.sets.iter().any(|field| event.details.contains_key(field)))
            && (when.sets_only.is_empty() || !sets_others(event, &when.sets_only))
            && (when.sets_other.is_empty() || sets_others(event, &when.sets_other))
            && when.assigned.is_none_or(|assigned| assigned == conversation.assignee().is_some())
            && (when.variable.is_empty() || sets_variable(event, &when.variable))
            && (when.action.is_empty() || admits(&when.action, label_action(event).as_ref()))
    }

    /// Returns true if the event has this name in this revision or in another.
    pub fn has_name(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Returns the name of the event in this revision, then its names in others.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        [&self.event_type].into_iter().chain(&self.previous_names).map(String::as_str)
    }

    /// Returns the entity fields, at least one of which must have changed.
    pub(super) fn changed(&self) -> impl Iterator<Item = &str> {
        self.when.changed.iter().map(String::as_str)
    }

    /// Returns the first variable in the condition.
    pub(super) fn first_variable(&self) -> Option<&str> {
        self.when.variable.first().map(String::as_str)
    }

    /// Returns what happens to labels, if the condition says it.
    pub(super) fn first_label_action(&self) -> Option<LabelAction> {
        self.when.action.first().copied()
    }

    /// Returns true if the rule is about messages that are not the first of their sender.
    pub(super) fn needs_earlier_message(&self) -> bool {
        self.when.first == Some(false)
    }

    /// Returns the first actor role in the condition.
    pub(super) fn first_role(&self) -> Option<Role> {
        self.when.by.first().copied()
    }

    /// Returns true if the condition admits an actor with this role.
    pub(super) fn covers_role(&self, role: Role) -> bool {
        admits(&self.when.by, Some(&role))
    }

    /// Returns true if the event is about a message or an entity, and the condition admits those
    /// of this kind.
    pub(super) fn covers_kind(&self, kind: &String) -> bool {
        self.on.has_kind() && admits(&self.when.kind, Some(kind))
    }

    /// Returns true if an `emit` step can set all of these fields.
    pub(super) fn emits(&self, data: &Map<String, Json>) -> bool {
        let has = |fields: &FieldDefaults| data.keys().all(|key| fields.has(key));
        self.on == EventKind::Emitted && self.data.as_ref().is_some_and(has)
    }

    /// Returns true if an `emit` step can set this field.
    pub fn emits_field(&self, key: &str) -> bool {
        self.on == EventKind::Emitted && self.data.as_ref().is_some_and(|data| data.has(key))
    }

    /// Returns the roles of the condition.
    pub(super) fn roles(&self) -> &[Role] {
        &self.when.by
    }

    /// Returns the fields of the action that causes the event, each with an example of its type,
    /// besides those of a message or entity kind.
    pub fn action_fields(&self) -> Vec<(&'static str, Json)> {
        let text = || Json::from("");
        match self.on {
            EventKind::MessageSent | EventKind::NoteAdded => vec![("text", text())],
            EventKind::TypingChanged => vec![("on", true.into())],
            EventKind::AssigneeChanged => vec![("skill", text())],
            EventKind::LabelsChanged => vec![("label", text()), ("action", text())],
            EventKind::FlowStarted => vec![("name", text()), ("states", 1.into())],
            EventKind::ConversationRated => vec![("score", 5.into()), ("comment", text())],
            _ => Vec::new(),
        }
    }

    /// Returns the meaning of a field of the action; empty for a field of a kind.
    pub fn action_field_about(&self, field: &str) -> &'static str {
        match field {
            "text" => "Text of the message or note.",
            "on" => "Whether the typing begins.",
            "skill" => "Name of the skill or group to which the conversation goes.",
            "label" => "Name of the label.",
            "action" => "Whether the label is `added` or `removed`.",
            "name" => "Name of the flow.",
            "states" => "Number of states of the flow.",
            "score" => "Score, from 1 to 5.",
            "comment" => "Comment on the rating.",
            _ => "",
        }
    }

    /// Returns the first kind in the condition.
    pub fn first_kind(&self) -> Option<String> {
        self.when.kind.first().cloned()
    }

    /// Returns true if the rule can require an assigned agent.
    pub(super) fn may_require_agent(&self) -> bool {
        self.when.assignee.contains(&Role::Agent)
    }
}

/// Returns the kind of the entity or message that an event is about.
pub(super) fn kind_of<'a>(event: &'a Event, message: Option<&'a Message>) -> Option<&'a String> {
    let entity = event.entity.as_ref().map(|entity| &entity.kind);
    entity.or_else(|| message.map(|message| &message.kind))
}

fn has_changed(event: &Event, field: &str) -> bool {
    let value = |entity: &Option<Entity>| entity.as_ref()?.fields.get(field).cloned();
    // A field that was added or removed has changed too.
    value(&event.before) != value(&event.entity)
}

/// Returns true if an update sets a field that is not in the list, to whatever value.
fn sets_others(event: &Event, fields: &[String]) -> bool {
    event.details.keys().any(|name| !fields.contains(name))
}

fn sets_variable(event: &Event, names: &[String]) -> bool {
    let variables = event.details.get("variables").and_then(Json::as_array);
    let name = |variable: &Json| variable.get("name")?.as_str().map(str::to_owned);
    variables.into_iter().flatten().filter_map(name).any(|name| names.contains(&name))
}

fn label_action(event: &Event) -> Option<LabelAction> {
    LabelAction::from_name(event.details.get("action")?.as_str()?)
}

fn is_first_message(event: &Event, conversation: &Conversation) -> bool {
    // Per person, not per role: each visitor has a first message.
    let first = conversation.messages.iter().position(|message| message.by.is(&event.by));
    first.is_some_and(|first| event.messages.contains(&first))
}

/// Returns true if the list is empty or contains the value.
fn admits<T: PartialEq>(list: &[T], value: Option<&T>) -> bool {
    // No value, such as the assignee of an unassigned conversation, fails a condition on it.
    list.is_empty() || value.is_some_and(|value| list.contains(value))
}

impl SilenceRules {
    /// Returns why the vendor sends nothing for an event by an actor with this role, or `None` if
    /// no rule says so.
    pub(super) fn coverage(&self, on: EventKind, role: Role) -> Option<Coverage<'_>> {
        // An event that cannot happen must not be reported as merely silent.
        let cannot = reason(&self.cannot, on, role).map(Coverage::Cannot);
        cannot.or_else(|| reason(&self.silent, on, role).map(Coverage::Silent))
    }

    /// Returns true if there is a reason for the whole event, for every role.
    pub(super) fn is_about(&self, on: EventKind) -> bool {
        self.silent.contains_key(on.as_str()) || self.cannot.contains_key(on.as_str())
    }

    /// Returns why the vendor sends nothing for messages or entities of this kind.
    pub(super) fn reason_for_kind(&self, on: EventKind, kind: &str) -> Option<&str> {
        self.silent.get(&format!("{on}:{kind}")).map(String::as_str)
    }
}

fn reason(reasons: &BTreeMap<String, String>, on: EventKind, role: Role) -> Option<&str> {
    // A reason for the role overrides that for the whole event.
    let is_specific = |key: &str| key.split_once(':') == Some((on.as_str(), role.as_str()));
    let from = (Bound::Included(on.as_str()), Bound::Unbounded);
    let mut of_event =
        reasons.range::<str, _>(from).take_while(|(key, _)| key.starts_with(on.as_str()));
    let specific = of_event.find(|(key, _)| is_specific(key)).map(|(_, reason)| reason);
    specific.or_else(|| reasons.get(on.as_str())).map(String::as_str)
}
