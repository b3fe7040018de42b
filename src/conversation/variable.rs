//! Named values that a scenario stores about a visitor or a conversation.

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
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Name, chosen by the scenario.
    pub name: String,
    /// Declared type: `text`, `number` or `date`.
    pub declared: String,
    /// Current value.
    pub value: Json,
}

impl Variable {
    /// Returns the default type for a value without a declared type.
    pub fn type_of(value: &Json) -> &'static str {
        // Only `number` is visible in JSON: a date is a string like any other.
        if value.is_number() { "number" } else { "text" }
    }
}
