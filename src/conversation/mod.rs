//! The conversation model: a state machine that turns actions into vendor-neutral events.
//!
//! The model is pure: it uses no clock, no randomness and no vendor definition. Layers above fill
//! in what depends on the vendor: ids, message bodies and counters. Each object declares one table
//! of fields, which both type-checks templates and provides the values for rendering.

mod action;
mod apply;
mod entity;
mod event;
mod generated_ids;
mod lifecycle;
mod message;
mod person;
mod state;
mod variable;

pub use action::{Action, ActionKind, Actor};
pub use entity::Entity;
pub use event::{Event, EventKind, LabelAction, UpdatingEvents};
pub use generated_ids::GeneratedIds;
pub use lifecycle::ConversationState;
pub use message::{Closing, Dialog, DialogHead, DialogKind, Message, MessageData, ParsedMessage};
pub use person::{Member, ParticipantRole, Person, Role};
pub use state::{
    Conversation, ConversationCheckpoint, ConversationRules, ImpliedAction, InvalidAction,
    JoiningRoles, StaffAccess,
};
pub use variable::{Variable, VariableScope};

/// Types of the model's objects, for the template compiler.
pub mod model {
    pub use super::entity::{entity_table as entity, entity_table_with as entity_with};
    pub use super::event::event_table as event;
    pub use super::message::{
        dialog_head_table as dialog_head, dialog_table as dialog, message_table as message,
    };
    pub use super::person::person_table as person;
    pub use super::state::conversation_table as conversation;
}
