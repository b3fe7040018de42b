//! The conversation: a state machine that turns acts into neutral events.
//!
//! Pure: no clock, no randomness, no vendor. What a vendor adds to it (ids, message bodies,
//! counters) is filled in by the layer above, in the fields left for it. The tables of fields say
//! both what a template may name and where its value is.

mod action;
mod apply;
mod entity;
mod event;
mod message;
mod person;
mod state;

pub use action::{Action, Actor, Variable, VariableScope};
pub use entity::Entity;
pub use event::{Event, EventKind};
pub use message::{Dialog, DialogHead, DialogKind, Message};
pub use person::{Member, ParticipantRole, Person, Role};
pub use state::{Conversation, ConversationRules, ConversationState, ImpliedAction, InvalidAction};

use serde_json::Value as Json;

use crate::template::Value;

/// What a vendor's `[ids]` made for one thing, by name. There are a few of them in everything that
/// each of thousands of conversations holds, so they lie close together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneratedIds(Vec<(Box<str>, Json)>);

impl GeneratedIds {
    /// Adds a value; there is none of the name yet.
    pub fn insert(&mut self, name: &str, value: Json) {
        self.0.reserve_exact(1);
        self.0.push((name.into(), value));
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(own, _)| &**own == name).map(|(_, value)| value)
    }

    /// The values with their names.
    pub fn into_entries(self) -> impl Iterator<Item = (String, Json)> {
        self.0.into_iter().map(|(name, value)| (name.into(), value))
    }
}

/// A made value, which stands before the model's own of the same name.
fn made<'a>(made: &'a GeneratedIds, name: &str) -> Option<Value<'a>> {
    made.get(name).map(Value::data)
}

/// The names of the model's things, as tables for the template compiler.
pub mod model {
    pub use super::entity::names as entity;
    pub use super::event::names as event;
    pub use super::message::{dialog_names as dialog, head_names as dialog_head, names as message};
    pub use super::person::names as person;
    pub use super::state::names as conversation;
}
