//! Actions: what participants do, resolved from the steps of a script.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::event::EventKind;
use super::message::DialogKind;
use super::variable::{Variable, VariableScope};

/// Reference to the participant who performs an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Cast member with this name.
    Member(String),
    /// Current assignee, resolved when the action is applied.
    Assignee,
}

/// An action in a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Participant who performs it.
    pub by: Actor,
    /// What is done.
    pub kind: ActionKind,
    /// Dialog in which it happens. `None` is the main dialog, and for `Close` the open one.
    #[serde(default)]
    pub dialog: Option<DialogKind>,
    /// Whether the vendor sends nothing for it, such as for a call that does not log what it changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quiet: bool,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Opens the conversation.
    Open {
        /// Channel, such as `web`.
        channel: String,
        /// First assignee.
        assignee: Option<Actor>,
        /// Skill of the queue.
        skill: Option<String>,
        /// Ids that the client has chosen, by name, in place of generated ones.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        ids: BTreeMap<String, String>,
        /// Whether nothing else has a trace of the conversation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        hidden: bool,
    },
    /// Sends a message.
    Say {
        /// Kind of message.
        kind: String,
        /// Text; empty for kinds without text.
        text: String,
        /// Data of the kind.
        data: Map<String, Json>,
    },
    /// Starts or stops typing.
    Typing {
        /// True to start, false to stop.
        on: bool,
    },
    /// Marks unread messages as read.
    Read {
        /// Number of messages, counted from the first; `None` reads all of them.
        upto: Option<usize>,
    },
    /// Assigns the conversation to a participant or returns it to a queue.
    Assign {
        /// New assignee; `None` returns the conversation to a queue.
        to: Option<Actor>,
        /// Skill of the queue.
        skill: Option<String>,
        /// Delay until the new assignee accepts; `None` assigns immediately.
        accept: Option<SignedDuration>,
    },
    /// Accepts a conversation that was offered.
    Accept,
    /// Joins the conversation.
    Join,
    /// Leaves the conversation.
    Leave,
    /// Adds a note that is hidden from the visitor.
    Note {
        /// Text of the note.
        text: String,
    },
    /// Stores variables.
    Set {
        /// Variables with their types and values.
        variables: Vec<Variable>,
        /// Owner of the variables.
        scope: VariableScope,
    },
    /// Adds or removes labels.
    Label {
        /// True to add, false to remove.
        add: bool,
        /// Names of the labels.
        labels: Vec<String>,
    },
    /// Starts a flow of the bot.
    Flow {
        /// Name of the flow.
        name: String,
        /// Number of states in the flow.
        states: i64,
    },
    /// Rates the conversation.
    Rate {
        /// Score from 1 to 5.
        score: i64,
        /// Comment.
        comment: Option<String>,
    },
    /// Creates an entity, such as a customer, a company or an article.
    Create {
        /// Name that later actions use to refer to the entity.
        name: String,
        /// Kind of entity.
        kind: String,
        /// Initial fields.
        fields: Map<String, Json>,
        /// Names of the fields that have no value, not even their default.
        unset: Vec<String>,
        /// Ids that are not generated, by name.
        // Boxed, because it is rare and actions are many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ids: Option<Box<BTreeMap<String, String>>>,
    },
    /// Updates an entity.
    Update {
        /// Name of the entity.
        name: String,
        /// Fields to set.
        fields: Map<String, Json>,
        /// Names of the fields to remove.
        unset: Vec<String>,
    },
    /// Deletes an entity.
    Delete {
        /// Name of the entity.
        name: String,
    },
    /// Sends an event that no other action causes.
    Emit {
        /// Vendor's name of the event.
        event_type: String,
        /// Content of the event.
        data: Map<String, Json>,
    },
    /// Closes the conversation, or its survey if only that is open.
    Close {
        /// Whether a survey follows.
        survey: bool,
    },
    /// Reopens a closed conversation.
    Reopen,
}

impl ActionKind {
    /// Opens a conversation as scripts do: nothing about it is chosen by a client.
    pub fn open(channel: impl Into<String>, assignee: Option<Actor>) -> Self {
        Self::Open {
            channel: channel.into(),
            assignee,
            skill: None,
            ids: BTreeMap::new(),
            hidden: false,
        }
    }

    /// Returns the action of this participant.
    pub fn by(self, by: Actor) -> Action {
        Action { by, kind: self, dialog: None, quiet: false }
    }

    /// Returns the scenario key of the action; `accept`, which is only implied, has a name too.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Say { .. } => "say",
            Self::Typing { .. } => "typing",
            Self::Read { .. } => "read",
            Self::Assign { .. } => "assign",
            Self::Accept => "accept",
            Self::Join => "join",
            Self::Leave => "leave",
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
            Self::Reopen => "reopen",
        }
    }

    /// Returns the kind of event that the action causes.
    pub fn causes(&self) -> EventKind {
        match self {
            Self::Open { .. } => EventKind::ConversationOpened,
            Self::Say { .. } => EventKind::MessageSent,
            Self::Typing { .. } => EventKind::TypingChanged,
            Self::Read { .. } => EventKind::MessageRead,
            Self::Assign { .. } | Self::Accept => EventKind::AssigneeChanged,
            Self::Join => EventKind::ParticipantJoined,
            Self::Leave => EventKind::ParticipantLeft,
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
            Self::Reopen => EventKind::ConversationReopened,
        }
    }
}
