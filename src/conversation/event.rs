//! What acts cause: vendor-neutral events.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::action::VariableScope;
use super::entity::Entity;
use super::person::Person;
use super::{GeneratedIds, made};
use crate::template::{FieldType, Object, TableType, Value, find, names as names_of};

crate::string_enum! {
    /// What happened.
    pub enum EventKind {
        /// A conversation began.
        ConversationOpened = "conversation.opened",
        /// Somebody said something.
        MessageSent = "message.sent",
        /// Somebody began or stopped typing.
        TypingChanged = "typing.changed",
        /// Somebody read messages.
        MessageRead = "message.read",
        /// The conversation was handed over.
        AssigneeChanged = "assignee.changed",
        /// Somebody joined.
        ParticipantJoined = "participant.joined",
        /// Somebody left.
        ParticipantLeft = "participant.left",
        /// Somebody wrote a note.
        NoteAdded = "note.added",
        /// Something became known about the visitor or the conversation.
        VariablesSet = "variables.set",
        /// Labels were put on or taken off.
        LabelsChanged = "labels.changed",
        /// The bot began a flow.
        FlowStarted = "flow.started",
        /// The conversation was rated.
        ConversationRated = "conversation.rated",
        /// The conversation ended.
        ConversationClosed = "conversation.closed",
        /// A closed conversation went on.
        ConversationReopened = "conversation.reopened",
        /// A customer, a company, an article came to be.
        EntityCreated = "entity.created",
        /// One of them changed.
        EntityUpdated = "entity.updated",
        /// One of them went.
        EntityDeleted = "entity.deleted",
        /// The vendor told something that no act causes.
        Emitted = "emit",
    }
}

impl EventKind {
    /// Whether it tells the conversation's state, and so can be told again at any time.
    pub fn is_about_state(self) -> bool {
        matches!(
            self,
            Self::ConversationOpened
                | Self::AssigneeChanged
                | Self::ParticipantJoined
                | Self::ParticipantLeft
                | Self::ConversationClosed
                | Self::ConversationReopened
        )
    }
}

/// One thing that happened in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Person,
    /// To whom.
    pub to: Option<Person>,
    /// From whom.
    pub from: Option<Person>,
    /// The messages it is about, by their place in the transcript.
    pub messages: Vec<usize>,
    /// The entity it is about, as it is now, and as it was before it changed.
    pub entity: Option<Entity>,
    /// The entity as it was before.
    pub before: Option<Entity>,
    /// What else is to be told, by name.
    pub details: Map<String, Json>,
    /// What the vendor's `[ids]` made for it.
    pub ids: GeneratedIds,
}

crate::fields! {
    const EVENT of Event {
        always at: FieldType::Time => |e| Value::Time(e.at);
        always by: FieldType::Any => |e| Value::Object(&e.by);
        maybe to: FieldType::Any => |e| Value::maybe_object(e.to.as_ref());
        maybe from: FieldType::Any => |e| Value::maybe_object(e.from.as_ref());
    }
}

/// An event of this kind.
pub fn names(kind: EventKind, person: &TableType, message: &TableType) -> TableType {
    let person = FieldType::table(person.clone());
    let names = names_of("an event", EVENT)
        .always("by", person.clone())
        .maybe("to", person.clone())
        .maybe("from", person);
    match kind {
        EventKind::MessageRead => {
            names.always("messages", FieldType::list(FieldType::table(message.clone())))
        }
        EventKind::TypingChanged => names.always("typing", FieldType::Bool),
        EventKind::NoteAdded => names.always("note", FieldType::Text),
        EventKind::VariablesSet => names
            .always("scope", FieldType::Word(VariableScope::WORDS))
            .always("variables", FieldType::list(variable_shape())),
        EventKind::LabelsChanged => names
            .always("action", FieldType::Word(LABEL_ACTIONS))
            .always("labels", FieldType::list(FieldType::table(named("a label")))),
        EventKind::FlowStarted => {
            names.always("flow", FieldType::table(named("a flow").always("states", FieldType::Int)))
        }
        EventKind::ConversationRated => {
            names.always("score", FieldType::Int).maybe("comment", FieldType::Text)
        }
        _ => names,
    }
}

/// What happens to labels.
pub(super) const LABEL_ACTIONS: &[&str] = &["added", "removed"];

/// Something with a name; `[ids]` may add more.
fn named(about: &'static str) -> TableType {
    TableType { whole: true, ..TableType::new(about, Vec::new()).always("name", FieldType::Text) }
}

fn variable_shape() -> FieldType {
    let names = named("a variable").always("type", FieldType::Text);
    FieldType::table(names.always("value", FieldType::Any))
}

impl Object for Event {
    fn get(&self, name: &str) -> Value<'_> {
        made(&self.ids, name)
            .or_else(|| find(EVENT, self, name))
            .or_else(|| self.details.get(name).map(Value::data))
            .unwrap_or(Value::Absent)
    }
}
