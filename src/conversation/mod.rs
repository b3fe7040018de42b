//! The conversation: a state machine that turns acts into neutral events.
//!
//! Pure: no clock, no randomness, no vendor. What a vendor adds to it (ids, message bodies,
//! counters) is filled in by the layer above, in the fields left for it. The tables of fields say
//! both what a template may name and where its value is.

mod act;
mod apply;
mod entity;
mod event;
mod message;
mod person;
mod state;

pub use act::{Act, Variable, VariableScope, Who};
pub use entity::Entity;
pub use event::{Event, EventKind};
pub use message::{Dialog, DialogHead, DialogKind, Message};
pub use person::{Member, Part, Person, Role};
pub use state::{Conversation, Habits, Implied, Refusal, State};

use serde_json::{Map, Value as Json};

use crate::template::{Names, Value};

/// What a vendor's `[ids]` made for one thing, by name.
pub type Made = Map<String, Json>;

/// A made value, which stands before the model's own of the same name.
fn made<'a>(made: &'a Made, name: &str) -> Option<Value<'a>> {
    made.get(name).map(Value::data)
}

/// The names of the model's things, as tables for the template compiler.
pub struct Model;

impl Model {
    /// A person, whatever their role.
    pub fn person() -> Names {
        person::names()
    }

    /// A message, without its kind's data.
    pub fn message(person: &Names, dialog: &Names) -> Names {
        message::names(person, dialog)
    }

    /// A dialog as its messages know it.
    pub fn dialog_head() -> Names {
        message::head_names()
    }

    /// A dialog with its people.
    pub fn dialog(person: &Names) -> Names {
        message::dialog_names(person)
    }

    /// A conversation.
    pub fn conversation(person: &Names, message: &Names, dialog: &Names) -> Names {
        state::names(person, message, dialog)
    }

    /// A customer, a company, an article, without its fields.
    pub fn entity(person: &Names) -> Names {
        entity::names(person)
    }

    /// An event of this kind.
    pub fn event(kind: EventKind, person: &Names, message: &Names) -> Names {
        event::names(kind, person, message)
    }
}
