//! Lists with at least one entry, and tables with keys of the user's choice.

use std::ops::Deref;

use serde_json::{Map, Value as Json, json};

use crate::diag::code;
use crate::diag::entry_name::{assigned_name, list_header_name};
use crate::diag::form::Form;
use crate::diag::node::{Key, NodeContent, SyntaxNode};
use crate::diag::problem::{Problem, Problems};
use crate::diag::scalar::unexpected_type;

/// A list with at least one entry. To select everything, the key is omitted instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonEmpty<T>(Vec<T>);

impl<T> Deref for NonEmpty<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Form> Form for NonEmpty<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        if matches!(&node.content, NodeContent::List(items) if items.is_empty()) {
            // An empty list could mean "none" as well as "all", so it is not accepted.
            let problem = Problem::at(&node.span, code::EMPTY, "the list is empty");
            problems.push(problem.help("add at least one entry, or remove the key"));
            return None;
        }
        Vec::read(node, problems).map(Self)
    }

    fn schema() -> Json {
        json!({"type": "array", "items": T::schema(), "minItems": 1})
    }
}

/// A single entry, or a list with at least one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMore<T>(Vec<T>);

impl<T> Deref for OneOrMore<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Form> Form for OneOrMore<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        match node.content {
            NodeContent::List(_) => NonEmpty::read(node, problems).map(|list| Self(list.0)),
            _ => T::read(node, problems).map(|one| Self(vec![one])),
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [T::schema(), NonEmpty::<T>::schema()]})
    }
}

/// A table whose keys are names that the user chose, in the order of the file. An invalid entry
/// keeps its name, so that references to it are not reported as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOf<T>(pub Vec<(Key, Option<T>)>);

impl<T> TableOf<T> {
    /// Returns the valid entries.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &T)> {
        self.0.iter().filter_map(|(key, entry)| entry.as_ref().map(|entry| (key, entry)))
    }

    /// Returns the valid entry with this name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.iter().find(|(key, _)| key.name == name).map(|(_, entry)| entry)
    }

    /// Returns true if there is an entry with this name, valid or not.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key.name == name)
    }

    /// Returns the names of all entries, valid or not.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.name.as_str())
    }
}

impl TableOf<SyntaxNode> {
    /// Returns a copy of the entries, as a [`Table`](super::Table) holds them.
    pub fn entries(&self) -> Vec<(Key, SyntaxNode)> {
        self.iter().map(|(key, node)| (key.clone(), node.clone())).collect()
    }

    /// Converts the entries to JSON, without source spans.
    pub fn to_json(&self) -> Map<String, Json> {
        self.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect()
    }
}

impl<T> Default for TableOf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Form> Form for TableOf<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        let Some(table) = node.as_table() else {
            problems.push(unexpected_type(node, "a table").help(match node.content {
                NodeContent::List(_) if T::schema()["type"] == "object" => {
                    let own = assigned_name(&node.span).or_else(|| list_header_name(&node.span));
                    let own = own.unwrap_or("…");
                    format!("write each entry as a table with a name: `[{own}.NAME]`")
                }
                _ => "write a table as `{ name = value }`".to_owned(),
            }));
            return None;
        };
        let read = |(key, node): &(Key, SyntaxNode)| (key.clone(), T::read(node, problems));
        Some(Self(table.0.iter().map(read).collect()))
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn schema() -> Json {
        json!({"type": "object", "additionalProperties": T::schema()})
    }
}
