//! What acts cause: vendor-neutral events.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

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
        /// The conversation ended.
        ConversationClosed = "conversation.closed",
        /// A closed conversation went on.
        ConversationReopened = "conversation.reopened",
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

pub(super) fn names(kind: EventKind, person: &Names, message: &Names) -> Names {
    let person = Shape::table(person.clone());
    let names = names_of("an event", EVENT)
        .with("by", person.clone(), false)
        .with("to", person.clone(), true)
        .with("from", person, true);
    match kind {
        EventKind::MessageRead => {
            names.with("messages", Shape::list(Shape::table(message.clone())), false)
        }
        EventKind::TypingChanged => names.with("typing", Shape::Bool, false),
        EventKind::NoteAdded => names.with("note", Shape::Text, false),
        _ => names,
    }
}

impl Object for Event {
    fn get(&self, name: &str) -> Value<'_> {
        made(&self.ids, name)
            .or_else(|| find(EVENT, self, name))
            .or_else(|| self.details.get(name).map(Value::data))
            .unwrap_or(Value::Absent)
    }
}
