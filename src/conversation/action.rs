//! What people do: the acts of a script, ready to happen.

use jiff::SignedDuration;
use serde_json::{Map, Value as Json};

use super::EventKind;

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A member of the cast, by name.
    Member(String),
    /// Whoever the conversation is assigned to when it happens.
    Assignee,
}

crate::string_enum! {
    /// What something is known about.
    pub enum VariableScope {
        /// The visitor, in every conversation.
        Visitor = "visitor",
        /// This conversation only.
        Conversation = "conversation",
    }
}

/// Something that is known under a name of somebody's choice.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The type it was declared with: `text`, `number`, `date`.
    pub declared: String,
    /// The value.
    pub value: Json,
}

impl Variable {
    /// The type that a value has where none was declared.
    pub fn type_of(value: &Json) -> &'static str {
        if value.is_number() { "number" } else { "text" }
    }
}

/// Something that somebody does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The conversation begins.
    Open {
        /// Who begins it.
        by: Actor,
        /// Over which channel, such as `web`.
        channel: String,
        /// Who answers first.
        assignee: Option<Actor>,
    },
    /// Somebody says something.
    Say {
        /// Who.
        by: Actor,
        /// The kind of message.
        kind: String,
        /// Its text; empty where the kind has none.
        text: String,
        /// The kind's data.
        data: Map<String, Json>,
    },
    /// Somebody begins or stops typing.
    Typing {
        /// Who.
        by: Actor,
        /// Whether they type now.
        on: bool,
    },
    /// Somebody reads all that they have not read.
    Read {
        /// Who.
        by: Actor,
        /// How many of the messages, counted from the first one; all of them without it.
        upto: Option<usize>,
    },
    /// The conversation is handed to somebody, or back to a queue.
    Assign {
        /// To whom; nobody, where it goes to a queue.
        to: Option<Actor>,
        /// The queue's skill.
        skill: Option<String>,
        /// By whom.
        by: Actor,
        /// After how long they accept; at once without it.
        accept: Option<SignedDuration>,
    },
    /// Somebody accepts a conversation that was offered to them.
    Accept {
        /// Who.
        by: Actor,
    },
    /// Somebody joins.
    Join {
        /// Who.
        by: Actor,
    },
    /// Somebody leaves.
    Leave {
        /// Who.
        by: Actor,
    },
    /// Somebody writes a note that the visitor does not see.
    Note {
        /// Who.
        by: Actor,
        /// The note.
        text: String,
    },
    /// Something becomes known about the visitor or the conversation.
    Set {
        /// By whom.
        by: Actor,
        /// What: each with its name, its type and its value.
        variables: Vec<Variable>,
        /// What it is known about.
        scope: VariableScope,
    },
    /// Labels are put on the conversation or taken off it.
    Label {
        /// By whom.
        by: Actor,
        /// Whether they are put on.
        add: bool,
        /// Their names.
        labels: Vec<String>,
    },
    /// The bot begins a flow.
    Flow {
        /// Who.
        by: Actor,
        /// The flow's name.
        name: String,
        /// How many states it has.
        states: i64,
    },
    /// The conversation is rated.
    Rate {
        /// By whom.
        by: Actor,
        /// From 1 to 5.
        score: i64,
        /// What was said with it.
        comment: Option<String>,
    },
    /// A customer, a company, an article comes to be.
    Create {
        /// By whom.
        by: Actor,
        /// The name by which later acts refer to it.
        name: String,
        /// What it is.
        kind: String,
        /// Its fields, as far as they are given.
        fields: Map<String, Json>,
    },
    /// One of them changes.
    Update {
        /// By whom.
        by: Actor,
        /// Which.
        name: String,
        /// The fields that change.
        fields: Map<String, Json>,
        /// The fields that are taken away.
        unset: Vec<String>,
    },
    /// One of them goes.
    Delete {
        /// By whom.
        by: Actor,
        /// Which.
        name: String,
    },
    /// The vendor tells something that no act causes.
    Emit {
        /// By whom.
        by: Actor,
        /// The vendor's name for the event.
        event_type: String,
        /// What it tells.
        data: Map<String, Json>,
    },
    /// The conversation ends.
    Close {
        /// By whom.
        by: Actor,
    },
    /// A closed conversation goes on.
    Reopen {
        /// By whom.
        by: Actor,
    },
}

impl Action {
    /// The key by which a scenario writes it; an act that only happens by itself has one too.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Say { .. } => "say",
            Self::Typing { .. } => "typing",
            Self::Read { .. } => "read",
            Self::Assign { .. } => "assign",
            Self::Accept { .. } => "accept",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Note { .. } => "note",
            Self::Set { .. } => "set",
            Self::Label { .. } => "label",
            Self::Flow { .. } => "flow",
            Self::Rate { .. } => "rate",
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::Emit { .. } => "emit",
            Self::Close { .. } => "close",
            Self::Reopen { .. } => "reopen",
        }
    }

    /// The event that it causes.
    pub fn causes(&self) -> EventKind {
        match self {
            Self::Open { .. } => EventKind::ConversationOpened,
            Self::Say { .. } => EventKind::MessageSent,
            Self::Typing { .. } => EventKind::TypingChanged,
            Self::Read { .. } => EventKind::MessageRead,
            Self::Assign { .. } | Self::Accept { .. } => EventKind::AssigneeChanged,
            Self::Join { .. } => EventKind::ParticipantJoined,
            Self::Leave { .. } => EventKind::ParticipantLeft,
            Self::Note { .. } => EventKind::NoteAdded,
            Self::Set { .. } => EventKind::VariablesSet,
            Self::Label { .. } => EventKind::LabelsChanged,
            Self::Flow { .. } => EventKind::FlowStarted,
            Self::Rate { .. } => EventKind::ConversationRated,
            Self::Create { .. } => EventKind::EntityCreated,
            Self::Update { .. } => EventKind::EntityUpdated,
            Self::Delete { .. } => EventKind::EntityDeleted,
            Self::Emit { .. } => EventKind::Emitted,
            Self::Close { .. } => EventKind::ConversationClosed,
            Self::Reopen { .. } => EventKind::ConversationReopened,
        }
    }

    /// Who does it.
    pub fn by(&self) -> &Actor {
        match self {
            Self::Open { by, .. }
            | Self::Say { by, .. }
            | Self::Typing { by, .. }
            | Self::Read { by, .. }
            | Self::Assign { by, .. }
            | Self::Accept { by }
            | Self::Join { by }
            | Self::Leave { by }
            | Self::Note { by, .. }
            | Self::Set { by, .. }
            | Self::Label { by, .. }
            | Self::Flow { by, .. }
            | Self::Rate { by, .. }
            | Self::Create { by, .. }
            | Self::Update { by, .. }
            | Self::Delete { by, .. }
            | Self::Emit { by, .. }
            | Self::Close { by }
            | Self::Reopen { by } => by,
        }
    }
}
