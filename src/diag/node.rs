//! What a TOML or JSON file holds, each value with its place.

use crate::diag::source::SourceSpan;

/// One value of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxNode {
    /// Where it stands.
    pub span: SourceSpan,
    /// What it is.
    pub content: NodeContent,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeContent {
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
    List(Vec<SyntaxNode>),
    /// A table.
    Table(Table),
}

/// A table's entries in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(pub Vec<(Key, SyntaxNode)>);

/// A table's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key without quotes.
    pub name: String,
    /// Where it stands.
    pub span: SourceSpan,
}

impl Table {
    /// The value of this key.
    pub fn get(&self, name: &str) -> Option<&SyntaxNode> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The key and its value.
    pub fn entry(&self, name: &str) -> Option<&(Key, SyntaxNode)> {
        self.0.iter().find(|(key, _)| key.name == name)
    }
}

impl SyntaxNode {
    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.content {
            NodeContent::Null => "null",
            NodeContent::Bool(_) => "true or false",
            NodeContent::Int(_) => "an integer",
            NodeContent::Number(_) => "a number",
            NodeContent::Text(_) if self.span.text().starts_with(|c: char| c.is_ascii_digit()) => {
                "a date"
            }
            NodeContent::Text(_) => "a text",
            NodeContent::List(_) => "a list",
            NodeContent::Table(_) => "a table",
        }
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            NodeContent::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The table, where it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.content {
            NodeContent::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The same value without places.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.content {
            NodeContent::Null => serde_json::Value::Null,
            NodeContent::Bool(flag) => (*flag).into(),
            NodeContent::Int(int) => (*int).into(),
            NodeContent::Number(number) => {
                serde_json::from_str(number).unwrap_or(serde_json::Value::Null)
            }
            NodeContent::Text(text) => text.as_str().into(),
            NodeContent::List(items) => items.iter().map(Self::to_json).collect(),
            NodeContent::Table(table) => {
                table.0.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect()
            }
        }
    }
}
