//! Vendor-neutral events, which actions cause.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::entity::Entity;
use super::generated_ids::GeneratedIds;
use super::message::DialogHead;
use super::person::Person;
use super::variable::{Variable, VariableScope};
use crate::template::{FieldType, Object, TableType, Value, field_value, table_type};

crate::string_enum! {
    /// Kind of event.
    pub enum EventKind {
        /// A conversation was opened.
        ConversationOpened = "conversation.opened",
        /// A message was sent.
        MessageSent = "message.sent",
        /// A participant started or stopped typing.
        TypingChanged = "typing.changed",
        /// A participant read messages.
        MessageRead = "message.read",
        /// The conversation was assigned to a participant or returned to a queue.
        AssigneeChanged = "assignee.changed",
        /// A participant joined.
        ParticipantJoined = "participant.joined",
        /// A participant left.
        ParticipantLeft = "participant.left",
        /// A note was added.
        NoteAdded = "note.added",
        /// Variables of the visitor or the conversation were set.
        VariablesSet = "variables.set",
        /// Labels were added or removed.
        LabelsChanged = "labels.changed",
        /// The bot started a flow.
        FlowStarted = "flow.started",
        /// The conversation was rated.
        ConversationRated = "conversation.rated",
        /// The conversation was closed.
        ConversationClosed = "conversation.closed",
        /// A closed conversation was reopened.
        ConversationReopened = "conversation.reopened",
        /// An entity was created.
        EntityCreated = "entity.created",
        /// An entity was updated.
        EntityUpdated = "entity.updated",
        /// An entity was deleted.
        EntityDeleted = "entity.deleted",
        /// An `emit` action sent an event that no other action causes.
        Emitted = "emit",
    }
}

impl EventKind {
    /// Returns true if the event is about a message or an entity, which has a kind.
    pub fn has_kind(self) -> bool {
        matches!(
            self,
            Self::MessageSent | Self::EntityCreated | Self::EntityUpdated | Self::EntityDeleted
        )
    }

    /// Returns true if the event can occur only in a conversation.
    pub fn needs_conversation(self) -> bool {
        // An emitted event can be about anything.
        !matches!(
            self,
            Self::EntityCreated | Self::EntityUpdated | Self::EntityDeleted | Self::Emitted
        )
    }

    /// Returns true if the event reports the conversation's state and can be repeated at any time.
    pub fn reports_state(self) -> bool {
        // The other events carry data of their action, such as a message or a label.
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

/// A vendor-neutral event of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Kind of event.
    pub kind: EventKind,
    /// Time of the event.
    pub at: Timestamp,
    /// Participant who caused it.
    pub by: Person,
    /// New assignee.
    pub to: Option<Person>,
    /// Previous assignee.
    pub from: Option<Person>,
    /// Messages that the event is about, as indexes into the transcript.
    pub messages: Vec<usize>,
    /// Dialog in which it happens, if it happens in one.
    pub dialog: Option<Arc<DialogHead>>,
    /// Entity that the event is about, after the change.
    pub entity: Option<Entity>,
    /// The entity before an update.
    pub before: Option<Entity>,
    /// Further data that depends on the kind, by name.
    pub details: Map<String, Json>,
    /// Generated ids.
    pub ids: GeneratedIds,
}

impl Event {
    /// Creates an event without details.
    pub(super) fn new(kind: EventKind, by: Person, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            by,
            to: None,
            from: None,
            messages: Vec::new(),
            dialog: None,
            entity: None,
            before: None,
            details: Map::new(),
            ids: GeneratedIds::default(),
        }
    }

    /// Adds a detail.
    pub(super) fn detail(mut self, name: &str, value: Json) -> Self {
        self.details.insert(name.into(), value);
        self
    }

    /// Sets the messages that the event is about.
    pub(super) fn about(self, messages: Vec<usize>) -> Self {
        Self { messages, ..self }
    }

    /// Sets the dialog in which it happens.
    pub(super) fn in_dialog(self, dialog: Option<Arc<DialogHead>>) -> Self {
        Self { dialog, ..self }
    }
}

crate::fields! {
    const EVENT of Event {
        always at: FieldType::Time => |e| Value::Time(e.at);
        always by: FieldType::Any => |e| Value::Object(&e.by);
        maybe to: FieldType::Any => |e| Value::maybe_object(e.to.as_ref());
        maybe from: FieldType::Any => |e| Value::maybe_object(e.from.as_ref());
        maybe dialog: FieldType::Any => |e| Value::maybe_object(e.dialog.as_deref());
    }
}

/// Returns the type of an event of this kind.
pub fn event_table(
    kind: EventKind,
    person: &TableType,
    message: &TableType,
    dialog: &TableType,
) -> TableType {
    let (person, dialog) = (FieldType::table(person.clone()), FieldType::table(dialog.clone()));
    let base = table_type("an event", EVENT)
        .always("by", person.clone())
        .maybe("to", person.clone())
        .maybe("from", person)
        .maybe("dialog", dialog.clone());
    match kind {
        EventKind::MessageRead => base
            .always("dialog", dialog)
            .always("messages", FieldType::list(FieldType::table(message.clone()))),
        EventKind::TypingChanged => base.always("dialog", dialog).always("typing", FieldType::Bool),
        EventKind::NoteAdded => base.always("note", FieldType::Text),
        EventKind::VariablesSet => base
            .always("scope", FieldType::Word(VariableScope::NAMES))
            .always("variables", FieldType::list(variable_table())),
        EventKind::LabelsChanged => base
            .always("action", FieldType::Word(LabelAction::NAMES))
            .always("labels", FieldType::list(FieldType::table(named("a label")))),
        EventKind::FlowStarted => {
            base.always("flow", FieldType::table(named("a flow").always("states", FieldType::Int)))
        }
        EventKind::ConversationRated => {
            base.always("score", FieldType::Int).maybe("comment", FieldType::Text)
        }
        _ => base,
    }
}

crate::string_enum! {
    /// What happens to the labels of an event.
    pub enum LabelAction {
        /// They are added.
        Added = "added",
        /// They are removed.
        Removed = "removed",
    }
}

/// Returns the type of an object with a name, to which `[ids]` may add fields.
fn named(about: &'static str) -> TableType {
    TableType {
        writable: true,
        ..TableType::new(about, Vec::new()).always("name", FieldType::Text)
    }
}

fn variable_table() -> FieldType {
    let base = named("a variable").always("type", FieldType::Text);
    let base = base.always("shape", FieldType::Word(Variable::SHAPES));
    FieldType::table(base.always("value", FieldType::Any).maybe("previous", FieldType::Any))
}

impl Object for Event {
    fn get(&self, name: &str) -> Value<'_> {
        self.ids
            .value(name)
            .or_else(|| field_value(EVENT, self, name))
            .or_else(|| self.details.get(name).map(Value::data))
            .unwrap_or(Value::Absent)
    }
}

/// Neutral events that set the conversation's `updated_at`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpdatingEvents(u32);

impl UpdatingEvents {
    /// Returns a set of events; an empty list means all events.
    pub fn of(kinds: &[EventKind]) -> Self {
        Self(kinds.iter().fold(0, |set, kind| set | 1 << *kind as u32))
    }

    pub(super) fn contains(self, kind: EventKind) -> bool {
        self.0 == 0 || self.0 & 1 << kind as u32 != 0
    }
}
