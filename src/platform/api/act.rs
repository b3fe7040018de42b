//! Actions of a call, before their values are read from it.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::call_match::CallMatchers;
use crate::conversation::{LabelAction, Role, VariableScope};
use crate::template::{InputTemplate, TextTemplate, ValuePath};

/// An action of a call.
#[derive(Clone, Debug)]
pub struct ActRule {
    /// Conditions of the action.
    pub when: CallMatchers,
    /// List for whose elements it is performed.
    pub each: Option<EachElement>,
    /// Whether the vendor sends nothing for it.
    pub quiet: bool,
    /// The action.
    pub act: ActTemplate,
}

/// A list for whose elements an action is performed.
#[derive(Clone, Debug)]
pub struct EachElement {
    /// Name of the element in templates.
    pub name: String,
    /// The list.
    pub list: ValuePath,
}

/// Reference to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhoRef {
    /// The person with this role.
    Role(Role),
    /// The assignee of the conversation.
    Assignee,
    /// The person that `find` has given this name.
    Found(String),
}

/// An action whose values are read from the call.
#[derive(Clone, Debug)]
pub enum ActTemplate {
    /// Opens a conversation.
    Open {
        /// Visitor.
        by: WhoRef,
        /// Channel.
        channel: InputTemplate,
        /// First assignee.
        assignee: Option<WhoRef>,
        /// Skill of the queue.
        skill: Option<InputTemplate>,
        /// Whether the visitor can have one open conversation only.
        single: bool,
        /// Ids that the client chooses, by name.
        ids: BTreeMap<String, InputTemplate>,
        /// Whether the vendor does not store it.
        hidden: Option<InputTemplate>,
    },
    /// Sends a message.
    Say {
        /// Sender.
        by: WhoRef,
        /// Kind of message.
        kind: String,
        /// Text.
        text: Option<InputTemplate>,
        /// Data of the kind.
        data: InputTemplate,
    },
    /// Starts or stops typing.
    Typing {
        /// Who types.
        by: WhoRef,
        /// True to start, false to stop.
        on: bool,
    },
    /// Adds a note.
    Note {
        /// Who writes it.
        by: WhoRef,
        /// Text.
        text: InputTemplate,
    },
    /// Reopens the conversation.
    Reopen {
        /// Who reopens it.
        by: WhoRef,
    },
    /// Marks the messages of the other side as read.
    Read {
        /// Who reads.
        by: WhoRef,
    },
    /// Rates the conversation.
    Rate {
        /// Who rates.
        by: WhoRef,
        /// Score from 1 to 5.
        score: InputTemplate,
        /// Comment.
        comment: Option<InputTemplate>,
    },
    /// Sends an event that no other action causes.
    Emit {
        /// Whom the event is about.
        by: WhoRef,
        /// The vendor's name of the event.
        event_type: String,
        /// Content of the event.
        data: InputTemplate,
    },
    /// Assigns the conversation.
    Assign {
        /// Who assigns.
        by: WhoRef,
        /// New assignee; `None` for a queue.
        to: Option<WhoRef>,
        /// Skill of the queue.
        skill: Option<InputTemplate>,
    },
    /// Joins the conversation.
    Join {
        /// Who joins.
        by: WhoRef,
    },
    /// Leaves the conversation.
    Leave {
        /// Who leaves.
        by: WhoRef,
    },
    /// Adds or removes labels.
    Label {
        /// Who labels.
        by: WhoRef,
        /// What happens to the labels.
        action: LabelAction,
        /// The labels.
        labels: InputTemplate,
    },
    /// Starts a flow of the bot.
    Flow {
        /// Who starts it.
        by: WhoRef,
        /// Name.
        name: InputTemplate,
        /// Number of its states.
        states: i64,
    },
    /// Stores variables.
    Set {
        /// Who sets them.
        by: WhoRef,
        /// Owner of the variables.
        scope: VariableScope,
        /// The variables.
        variables: InputTemplate,
    },
    /// Closes the conversation.
    Close {
        /// Who closes it.
        by: WhoRef,
        /// Whether a survey follows.
        survey: bool,
    },
    /// Creates or changes a person.
    Person {
        /// Role.
        role: Role,
        /// Id in the receiver's system.
        external_key: InputTemplate,
        /// Data to set.
        with: InputTemplate,
    },
    /// Subscribes a URL to events.
    Subscribe {
        /// Group whose subscriptions it replaces.
        group: InputTemplate,
        /// URL of the receiver.
        url: InputTemplate,
        /// Patterns of event types.
        types: Option<InputTemplate>,
        /// Whether the vendor tests the URL first.
        handshake: bool,
        /// Whether events are sent.
        enabled: Option<InputTemplate>,
        /// Headers besides the vendor's.
        headers: Option<InputTemplate>,
        /// Secrets that have another value for this URL, by name.
        secret: BTreeMap<String, InputTemplate>,
    },
    /// Ends the subscriptions of a group.
    Unsubscribe {
        /// The group.
        group: InputTemplate,
    },
    /// Creates an entity.
    CreateEntity {
        /// Kind, and its name for later actions.
        kind: String,
        /// Who creates it.
        by: WhoRef,
        /// Its fields.
        with: InputTemplate,
        /// Ids that are not generated.
        ids: BTreeMap<String, InputTemplate>,
    },
    /// Gives conversations to another visitor.
    HandOver {
        /// Name of the conversations.
        conversation: String,
        /// The visitor.
        to: WhoRef,
    },
    /// Changes an entity.
    UpdateEntity {
        /// Name of the entity.
        entity: String,
        /// Who changes it.
        by: WhoRef,
        /// Fields to set.
        with: InputTemplate,
    },
    /// Deletes an entity.
    DeleteEntity {
        /// Name of the entity.
        entity: String,
        /// Who deletes it.
        by: WhoRef,
    },
    /// Creates a document.
    Create {
        /// Kind of document, and its name for later actions.
        document: String,
        /// Content.
        value: InputTemplate,
    },
    /// Replaces the content of a document.
    Replace {
        /// Name of the document.
        document: String,
        /// Content.
        value: InputTemplate,
    },
    /// Deletes a document.
    Delete {
        /// Name of the document.
        document: String,
    },
    /// Creates a link to a file.
    Link {
        /// Path of a new file.
        path: Option<TextTemplate>,
        /// Name of a file.
        file: Option<String>,
        /// Secret part of the URL.
        signature: TextTemplate,
        /// How long it is valid.
        life: SignedDuration,
    },
    /// Stores the file that the call transfers.
    Store {
        /// Name of the file.
        file: String,
    },
    /// Issues a token.
    Issue {
        /// Credential of the token.
        credential: String,
        /// Claims besides those of the credential.
        claims: InputTemplate,
    },
    /// Revokes the token that the call presents.
    Revoke {
        /// Credential of the token.
        credential: String,
    },
}

impl ActTemplate {
    /// Returns true if the action is about an entity.
    pub fn is_about_entity(&self) -> bool {
        matches!(
            self,
            Self::CreateEntity { .. } | Self::UpdateEntity { .. } | Self::DeleteEntity { .. }
        )
    }

    /// Returns true if the action happens in a conversation.
    pub fn needs_conversation(&self) -> bool {
        matches!(
            self,
            Self::Open { .. }
                | Self::Say { .. }
                | Self::Typing { .. }
                | Self::Join { .. }
                | Self::Leave { .. }
                | Self::Read { .. }
                | Self::Rate { .. }
                | Self::Emit { .. }
                | Self::Assign { .. }
                | Self::Label { .. }
                | Self::Flow { .. }
                | Self::Set { .. }
                | Self::Close { .. }
                | Self::Note { .. }
                | Self::Reopen { .. }
        )
    }
}
