//! What a TOML or JSON file holds, each value with its place.

use crate::diag::source::Place;

/// One value of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub content: Content,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// JSON's `null`; TOML has none.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// Any other number, in JSON's spelling.
    Number(String),
    /// A text, or a TOML date in its own spelling.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
}

/// A table's entries in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(pub Vec<(Key, Node)>);

/// A table's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key without quotes.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

impl Table {
    /// The value of this key.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The key and its value.
    pub fn entry(&self, name: &str) -> Option<&(Key, Node)> {
        self.0.iter().find(|(key, _)| key.name == name)
    }
}

impl Node {
    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.content {
            Content::Null => "null",
            Content::Bool(_) => "true or false",
            Content::Int(_) => "an integer",
            Content::Number(_) => "a number",
            Content::Text(_) if self.place.text().starts_with(|c: char| c.is_ascii_digit()) => {
                "a date"
            }
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Table(_) => "a table",
        }
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The table, where it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.content {
            Content::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The same value without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.content {
            Content::Null => serde_json::Value::Null,
            Content::Bool(flag) => (*flag).into(),
            Content::Int(int) => (*int).into(),
            Content::Number(number) => {
                serde_json::from_str(number).unwrap_or(serde_json::Value::Null)
            }
            Content::Text(text) => text.as_str().into(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Table(table) => {
                table.0.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect()
            }
        }
    }
}
