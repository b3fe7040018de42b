//! What people do: the acts of a script, ready to happen.

use jiff::SignedDuration;
use serde_json::{Map, Value as Json};

use super::{DialogKind, EventKind};

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A member of the cast, by name.
    Member(String),
    /// Whoever the conversation is assigned to when it happens.
    Assignee,
}

/// Something that somebody does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// The conversation begins.
    Open {
        /// Who begins it.
        by: Who,
        /// Over which channel, such as `web`.
        channel: String,
        /// Who answers first.
        assignee: Option<Who>,
    },
    /// Somebody says something.
    Say {
        /// Who.
        by: Who,
        /// The kind of message.
        kind: String,
        /// Its text; empty where the kind has none.
        text: String,
        /// The kind's data.
        data: Map<String, Json>,
        /// In which dialog.
        dialog: DialogKind,
    },
    /// Somebody begins or stops typing.
    Typing {
        /// Who.
        by: Who,
        /// Whether they type now.
        on: bool,
    },
    /// Somebody reads all that they have not read.
    Read {
        /// Who.
        by: Who,
        /// How many of the messages, counted from the first one; all of them without it.
        upto: Option<usize>,
    },
    /// The conversation is handed to somebody, or back to a queue.
    Assign {
        /// To whom; nobody, where it goes to a queue.
        to: Option<Who>,
        /// The queue's skill.
        skill: Option<String>,
        /// By whom.
        by: Who,
        /// After how long they accept; at once without it.
        accept: Option<SignedDuration>,
    },
    /// Somebody accepts a conversation that was offered to them.
    Accept {
        /// Who.
        by: Who,
    },
    /// Somebody joins.
    Join {
        /// Who.
        by: Who,
    },
    /// Somebody leaves.
    Leave {
        /// Who.
        by: Who,
    },
    /// Somebody writes a note that the visitor does not see.
    Note {
        /// Who.
        by: Who,
        /// The note.
        text: String,
    },
    /// The conversation ends.
    Close {
        /// By whom.
        by: Who,
    },
    /// A closed conversation goes on.
    Reopen {
        /// By whom.
        by: Who,
    },
}

impl Act {
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
            Self::Close { .. } => EventKind::ConversationClosed,
            Self::Reopen { .. } => EventKind::ConversationReopened,
        }
    }

    /// Who does it.
    pub fn by(&self) -> &Who {
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
            | Self::Close { by }
            | Self::Reopen { by } => by,
        }
    }
}
