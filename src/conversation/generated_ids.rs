//! Ids that the vendor's `[ids]` rules generate for an object of the model.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::template::Value;

/// Generated ids of one object, by name.
// A slice, not a map: thousands of conversations hold many objects with two or three ids each, and
// a linear search over so few entries needs less memory and is not slower.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneratedIds(Box<[GeneratedId]>);

#[derive(Clone, Debug, PartialEq)]
struct GeneratedId {
    /// Shared by all objects with an id of this name.
    name: Arc<str>,
    value: IdValue,
}

/// Value of an id. Almost all are texts or integers, which need less memory than JSON.
#[derive(Clone, Debug, PartialEq)]
enum IdValue {
    Text(Box<str>),
    Int(i64),
    Other(Box<Json>),
}

impl IdValue {
    fn as_value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => (**text).into(),
            Self::Int(int) => Value::Int(*int),
            Self::Other(json) => Value::data(json),
        }
    }
}

impl From<Json> for IdValue {
    fn from(value: Json) -> Self {
        match value {
            Json::String(text) => Self::Text(text.into()),
            other => other.as_i64().map_or_else(|| Self::Other(Box::new(other)), Self::Int),
        }
    }
}

impl From<IdValue> for Json {
    fn from(value: IdValue) -> Self {
        match value {
            IdValue::Text(text) => Self::String(text.into()),
            IdValue::Int(int) => int.into(),
            IdValue::Other(json) => *json,
        }
    }
}

impl GeneratedIds {
    /// Returns true if there is no id.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an id. The name must not be in use yet.
    pub fn insert(&mut self, name: &Arc<str>, value: Json) {
        let id = GeneratedId { name: Arc::clone(name), value: value.into() };
        self.0 = std::mem::take(&mut self.0).into_iter().chain([id]).collect();
    }

    /// Returns true if there is an id with this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|id| *id.name == *name)
    }

    /// Returns the id with this name as a template value. Ids take precedence over fields of the
    /// model with the same name.
    pub(super) fn value(&self, name: &str) -> Option<Value<'_>> {
        self.0.iter().find(|id| *id.name == *name).map(|id| id.value.as_value())
    }

    /// Returns the id with this name as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.into_text().into_owned())
    }

    /// Returns each id as text.
    pub fn texts(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.iter().map(|id| id.value.as_value().into_text())
    }

    /// Returns whether one of the ids is this text.
    pub fn include(&self, text: &str) -> bool {
        self.texts().any(|id| id == text)
    }

    /// Converts to pairs of name and value, in the order of insertion.
    pub fn into_entries(self) -> impl Iterator<Item = (String, Json)> {
        self.0.into_vec().into_iter().map(|id| (id.name.as_ref().to_owned(), id.value.into()))
    }
}
