//! Messages, and the dialogs that they stand in.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::person::Person;
use super::state::ConversationState;
use super::{GeneratedIds, made};
use crate::template::{FieldType, Object, TableType, Value, find, names as names_of};

crate::string_enum! {
    /// What a dialog is for.
    pub enum DialogKind {
        /// The conversation itself.
        Main = "main",
    }
}

/// What a message knows of its dialog.
#[derive(Clone, Debug, PartialEq)]
pub struct DialogHead {
    /// What it is for.
    pub kind: DialogKind,
    /// What the vendor's `[ids]` made for it.
    pub ids: GeneratedIds,
}

/// A stretch of a conversation with its own counting.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialog {
    /// What it is for, and its ids.
    pub head: Arc<DialogHead>,
    /// Whether it goes on.
    pub state: ConversationState,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it last changed; a message does not change it.
    pub changed_at: Timestamp,
    /// When it ended, and by whom.
    pub closed: Option<(Timestamp, Person)>,
    /// Who takes part.
    pub participants: Vec<Person>,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What the vendor's `[ids]` made for it.
    pub ids: GeneratedIds,
    /// The neutral kind: `text`, or one that vendors declare.
    pub kind: String,
    /// The vendor's word for the kind.
    pub word: String,
    /// The text; empty where the kind has none.
    pub text: String,
    /// The kind's data, complete.
    pub data: Map<String, Json>,
    /// The vendor's form of it, rendered once.
    pub body: Json,
    /// Who said it, in the part they had then.
    pub by: Person,
    /// When.
    pub at: Timestamp,
    /// In which dialog.
    pub dialog: Arc<DialogHead>,
    /// Its number: the vendor's counter where one counts messages, else its place from 1.
    pub number: i64,
}

crate::fields! {
    const HEAD of DialogHead {
        always type: FieldType::Word(DialogKind::WORDS) => |d| d.kind.word().into();
    }
}

crate::fields! {
    const DIALOG of Dialog {
        always type: FieldType::Word(DialogKind::WORDS) => |d| d.head.kind.word().into();
        always state: FieldType::Word(ConversationState::WORDS) => |d| d.state.word().into();
        always opened_at: FieldType::Time => |d| Value::Time(d.opened_at);
        always changed_at: FieldType::Time => |d| Value::Time(d.changed_at);
        maybe closed_at: FieldType::Time => |d| Value::maybe_time(d.closed.as_ref().map(|c| c.0));
        maybe closed_by: FieldType::Any => |d| Value::maybe_object(d.closed.as_ref().map(|c| &c.1));
        always participants: FieldType::Any => |d| Value::objects(&d.participants);
    }
}

crate::fields! {
    const MESSAGE of Message {
        always kind: FieldType::Text => |m| m.kind.as_str().into();
        always type: FieldType::Text => |m| m.word.as_str().into();
        always text: FieldType::Text => |m| m.text.as_str().into();
        always body: FieldType::Any => |m| Value::data(&m.body);
        always by: FieldType::Any => |m| Value::Object(&m.by);
        always at: FieldType::Time => |m| Value::Time(m.at);
        always dialog: FieldType::Any => |m| Value::Object(&*m.dialog);
        always number: FieldType::Int => |m| Value::Int(m.number);
    }
}

/// A dialog as its messages know it.
pub fn head_names() -> TableType {
    names_of("a dialog", HEAD)
}

/// A dialog with its people.
pub fn dialog_names(person: &TableType) -> TableType {
    let person = FieldType::table(person.clone());
    names_of("a dialog", DIALOG)
        .maybe("closed_by", person.clone())
        .always("participants", FieldType::list(person))
}

/// A message, without its kind's data.
pub fn names(person: &TableType, dialog: &TableType) -> TableType {
    names_of("a message", MESSAGE)
        .always("by", FieldType::table(person.clone()))
        .always("dialog", FieldType::table(dialog.clone()))
}

impl Object for DialogHead {
    fn get(&self, name: &str) -> Value<'_> {
        made(&self.ids, name).or_else(|| find(HEAD, self, name)).unwrap_or(Value::Absent)
    }
}

impl Object for Dialog {
    fn get(&self, name: &str) -> Value<'_> {
        made(&self.head.ids, name).or_else(|| find(DIALOG, self, name)).unwrap_or(Value::Absent)
    }
}

impl Object for Message {
    fn get(&self, name: &str) -> Value<'_> {
        made(&self.ids, name)
            .or_else(|| find(MESSAGE, self, name))
            .or_else(|| self.data.get(name).map(Value::data))
            .unwrap_or(Value::Absent)
    }
}
