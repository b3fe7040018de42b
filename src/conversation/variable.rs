//! Named values that a scenario stores about a visitor or a conversation.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

crate::string_enum! {
    /// Owner of a variable.
    pub enum VariableScope {
        /// The visitor: the value applies to all of their conversations.
        Visitor = "visitor",
        /// The current conversation only.
        Conversation = "conversation",
    }
}

/// A named value with its declared type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Name, chosen by the scenario.
    pub name: String,
    /// Declared type: `text`, `number` or `date`.
    pub declared: String,
    /// Current value.
    pub value: Json,
}

impl Variable {
    /// Reads a variable of a step: a plain value, or a table with `type` and `value`.
    pub fn of_step(name: String, value: Json) -> Self {
        if let Json::Object(table) = &value
            && let (Some(Json::String(declared)), Some(value)) =
                (table.get("type"), table.get("value"))
        {
            return Self { name, declared: declared.clone(), value: value.clone() };
        }
        let declared = Self::type_of(&value).to_owned();
        Self { name, declared, value }
    }

    /// Returns the JSON type of a value, one of [`SHAPES`](Self::SHAPES).
    pub fn shape_of(value: &Json) -> &'static str {
        match value {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "text",
            Json::Array(_) => "list",
            Json::Object(_) => "table",
        }
    }

    /// The JSON types of values.
    pub const SHAPES: &'static [&'static str] =
        &["null", "boolean", "number", "text", "list", "table"];

    /// Returns the default type for a value without a declared type.
    pub fn type_of(value: &Json) -> &'static str {
        // Only `number` is visible in JSON: a date is a string like any other.
        if value.is_number() { "number" } else { "text" }
    }
}
