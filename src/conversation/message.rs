//! Messages and the dialogs that contain them.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::generated_ids::GeneratedIds;
use super::lifecycle::ConversationState;
use super::person::Person;
use crate::template::{FieldType, Object, TableType, Value, field_value, table_type};

crate::string_enum! {
    /// Purpose of a dialog.
    pub enum DialogKind {
        /// The conversation itself.
        Main = "main",
        /// Questions to the visitor after the conversation.
        Survey = "survey",
    }
}

/// Constant part of a dialog, shared with all of its messages.
#[derive(Clone, Debug, PartialEq)]
pub struct DialogHead {
    /// Purpose of the dialog.
    pub kind: DialogKind,
    /// Generated ids.
    pub ids: GeneratedIds,
}

/// When a conversation or dialog was closed, and by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Closing {
    /// Time of closing.
    pub at: Timestamp,
    /// The participant who closed it.
    pub by: Person,
}

/// A part of a conversation with its own state and participants.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialog {
    /// Purpose and ids.
    pub head: Arc<DialogHead>,
    /// Open or closed.
    pub state: ConversationState,
    /// Time of opening.
    pub opened_at: Timestamp,
    /// Time of the last change; messages do not count as changes.
    pub changed_at: Timestamp,
    /// When it was closed, and by whom.
    pub closed: Option<Box<Closing>>,
    /// Current participants.
    pub participants: Vec<Person>,
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Generated ids.
    pub ids: GeneratedIds,
    /// Vendor-neutral kind: `text`, or a kind that vendors declare.
    pub kind: String,
    /// Vendor's name of the kind.
    pub word: String,
    /// Text; empty for kinds without text.
    pub text: String,
    /// All data of the kind, defaults included.
    pub data: MessageData,
    /// Message in the vendor's format: JSON text, rendered once; empty until then.
    pub body: Box<str>,
    /// Sender, with the role at the time of sending.
    pub by: Person,
    /// Time of sending.
    pub at: Timestamp,
    /// Dialog that contains the message.
    pub dialog: Arc<DialogHead>,
    /// Value of the vendor's message counter; by default the position in the transcript, from 1.
    pub number: i64,
}

/// Data of a message, as JSON text; empty if no field is set.
// Text, not a tree of JSON: thousands of conversations keep their messages, and the tree of a structured
// message needs about four times as much memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageData(Box<str>);

/// A message whose body and data are parsed at most once, for templates that read several parts of them.
#[derive(Debug)]
pub struct ParsedMessage<'a> {
    message: &'a Message,
    body: OnceLock<Json>,
    data: OnceLock<Map<String, Json>>,
}

crate::fields! {
    const HEAD of DialogHead {
        always type: FieldType::Word(DialogKind::NAMES) => |d| d.kind.as_str().into();
    }
}

crate::fields! {
    const DIALOG of Dialog {
        always type: FieldType::Word(DialogKind::NAMES) => |d| d.head.kind.as_str().into();
        always state: FieldType::Word(ConversationState::NAMES) => |d| d.state.as_str().into();
        always opened_at: FieldType::Time => |d| Value::Time(d.opened_at);
        always changed_at: FieldType::Time => |d| Value::Time(d.changed_at);
        maybe closed_at: FieldType::Time => |d| Value::maybe_time(d.closed.as_ref().map(|closing| closing.at));
        maybe closed_by: FieldType::Any => |d| Value::maybe_object(d.closed.as_ref().map(|closing| &closing.by));
        always participants: FieldType::Any => |d| Value::objects(&d.participants);
    }
}

crate::fields! {
    const MESSAGE of Message {
        always kind: FieldType::Text => |m| m.kind.as_str().into();
        always type: FieldType::Text => |m| m.word.as_str().into();
        always text: FieldType::Text => |m| m.text.as_str().into();
        always body: FieldType::Any => |m| Value::Json(Cow::Owned(m.body()));
        always by: FieldType::Any => |m| Value::Object(&m.by);
        always at: FieldType::Time => |m| Value::Time(m.at);
        always dialog: FieldType::Any => |m| Value::Object(&*m.dialog);
        always number: FieldType::Int => |m| Value::Int(m.number);
        always details: FieldType::Any => |m| Value::Object(&m.data);
    }
}

/// Returns the type of a dialog as seen from its messages.
// Participants are not included: they may have changed since the message was sent.
pub fn dialog_head_table() -> TableType {
    table_type("a dialog", HEAD)
}

/// Returns the type of a dialog.
pub fn dialog_table(person: &TableType) -> TableType {
    let person = FieldType::table(person.clone());
    table_type("a dialog", DIALOG)
        .maybe("closed_by", person.clone())
        .always("participants", FieldType::list(person))
}

/// Returns the type of a message, without the data of its kind.
pub fn message_table(person: &TableType, dialog: &TableType) -> TableType {
    table_type("a message", MESSAGE)
        .always("by", FieldType::table(person.clone()))
        .always("dialog", FieldType::table(dialog.clone()))
}

impl Message {
    /// Parses the message in the vendor's format.
    fn body(&self) -> Json {
        // A rendered template is valid JSON, so this does not fail.
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl<'a> ParsedMessage<'a> {
    /// The message, not parsed yet.
    pub fn new(message: &'a Message) -> Self {
        Self { message, body: OnceLock::new(), data: OnceLock::new() }
    }
}

impl MessageData {
    /// Stores a table.
    pub fn new(table: &Map<String, Json>) -> Self {
        let text = if table.is_empty() {
            String::new()
        } else {
            serde_json::to_string(table).unwrap_or_default()
        };
        Self(text.into())
    }

    /// Returns the table.
    pub fn table(&self) -> Map<String, Json> {
        // Most messages have no data, and templates look up many fields.
        if self.0.is_empty() {
            return Map::new();
        }
        // The text was written by `new`, so this does not fail.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl Object for MessageData {
    fn get(&self, name: &str) -> Value<'_> {
        self.table().remove(name).map_or(Value::Absent, |field| Value::Json(Cow::Owned(field)))
    }
}

impl Object for DialogHead {
    fn get(&self, name: &str) -> Value<'_> {
        let id = self.ids.value(name);
        id.or_else(|| field_value(HEAD, self, name)).unwrap_or(Value::Absent)
    }
}

impl Object for Dialog {
    fn get(&self, name: &str) -> Value<'_> {
        let id = self.head.ids.value(name);
        id.or_else(|| field_value(DIALOG, self, name)).unwrap_or(Value::Absent)
    }
}

impl Object for Message {
    fn get(&self, name: &str) -> Value<'_> {
        self.ids
            .value(name)
            .or_else(|| field_value(MESSAGE, self, name))
            .unwrap_or_else(|| self.data.get(name))
    }
}

impl Object for ParsedMessage<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        let Self { message, body, data } = self;
        let data = || data.get_or_init(|| message.data.table());
        let parsed = || match name {
            "body" => Value::data(body.get_or_init(|| message.body())),
            "details" => Value::Object(data()),
            _ => field_value(MESSAGE, *message, name).unwrap_or_else(|| Object::get(data(), name)),
        };
        message.ids.value(name).unwrap_or_else(parsed)
    }
}
