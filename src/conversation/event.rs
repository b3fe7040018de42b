//! What acts cause: vendor-neutral events.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::act::VariableScope;
use super::entity::Entity;
use super::person::Person;
use super::{Made, made};
use crate::template::{Names, Object, Shape, Value, find, names as names_of};

crate::words! {
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
    pub ids: Made,
}

crate::fields! {
    const EVENT of Event {
        always at: Shape::Time => |e| Value::Time(e.at);
        always by: Shape::Any => |e| Value::Object(&e.by);
        maybe to: Shape::Any => |e| Value::maybe_object(e.to.as_ref());
        maybe from: Shape::Any => |e| Value::maybe_object(e.from.as_ref());
    }
}

/// An event of this kind.
pub fn names(kind: EventKind, person: &Names, message: &Names) -> Names {
    let person = Shape::table(person.clone());
    let names = names_of("an event", EVENT)
        .always("by", person.clone())
        .maybe("to", person.clone())
        .maybe("from", person);
    match kind {
        EventKind::MessageRead => {
            names.always("messages", Shape::list(Shape::table(message.clone())))
        }
        EventKind::TypingChanged => names.always("typing", Shape::Bool),
        EventKind::NoteAdded => names.always("note", Shape::Text),
        EventKind::VariablesSet => names
            .always("scope", Shape::Word(VariableScope::WORDS))
            .always("variables", Shape::list(variable_shape())),
        EventKind::LabelsChanged => names
            .always("action", Shape::Word(LABEL_ACTIONS))
            .always("labels", Shape::list(Shape::table(named("a label")))),
        EventKind::FlowStarted => {
            names.always("flow", Shape::table(named("a flow").always("states", Shape::Int)))
        }
        EventKind::ConversationRated => {
            names.always("score", Shape::Int).maybe("comment", Shape::Text)
        }
        _ => names,
    }
}

/// What happens to labels.
pub(super) const LABEL_ACTIONS: &[&str] = &["added", "removed"];

/// Something with a name; `[ids]` may add more.
fn named(about: &'static str) -> Names {
    Names { whole: true, ..Names::new(about, Vec::new()).always("name", Shape::Text) }
}

fn variable_shape() -> Shape {
    let names = named("a variable").always("type", Shape::Text);
    Shape::table(names.always("value", Shape::Any))
}

impl Object for Event {
    fn get(&self, name: &str) -> Value<'_> {
        made(&self.ids, name)
            .or_else(|| find(EVENT, self, name))
            .or_else(|| self.details.get(name).map(Value::data))
            .unwrap_or(Value::Absent)
    }
}
