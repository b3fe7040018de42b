//! Syntax tree of a TOML or JSON file; each value has its source span.

use crate::diag::source::SourceSpan;

/// A value in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxNode {
    /// Location in the source.
    pub span: SourceSpan,
    /// Type and content of the value.
    pub content: NodeContent,
}

/// Content of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeContent {
    /// `null`, in JSON only.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits in 64 bits.
    Int(i64),
    /// Any other number, in JSON syntax. A string, so that no digit is lost.
    Number(String),
    /// A string, or a TOML date as it is written.
    Text(String),
    /// A list.
    List(Vec<SyntaxNode>),
    /// A table.
    Table(Table),
}

/// Entries of a table, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(pub Vec<(Key, SyntaxNode)>);

/// Key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Name, without quotes.
    pub name: String,
    /// Location in the source.
    pub span: SourceSpan,
}

impl Table {
    /// Returns the value of a key.
    pub fn get(&self, name: &str) -> Option<&SyntaxNode> {
        self.entry(name).map(|(_, node)| node)
    }

    /// Returns a key with its value.
    pub fn entry(&self, name: &str) -> Option<&(Key, SyntaxNode)> {
        self.0.iter().find(|(key, _)| key.name == name)
    }
}

impl SyntaxNode {
    /// Returns the type of the value with its article, for messages.
    pub fn kind(&self) -> &'static str {
        match self.content {
            NodeContent::Null => "null",
            NodeContent::Bool(_) => "a boolean",
            NodeContent::Int(_) => "an integer",
            NodeContent::Number(_) => "a number",
            // A TOML date is read as text; only a string starts with a quote.
            NodeContent::Text(_) if self.span.text().starts_with(|c: char| c.is_ascii_digit()) => {
                "a date"
            }
            NodeContent::Text(_) => "a string",
            NodeContent::List(_) => "a list",
            NodeContent::Table(_) => "a table",
        }
    }

    /// Returns the content of a string.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            NodeContent::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the content of a table.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.content {
            NodeContent::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Converts the value to JSON, without source spans.
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
