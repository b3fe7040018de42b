//! Ids that the vendor's `[ids]` rules generate for an object of the model.

use serde_json::Value as Json;

use crate::template::Value;

/// Generated ids of one object, by name.
// A list, not a map: thousands of conversations hold many objects with two or three ids each, and
// a linear search over so few entries needs less memory and is not slower.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneratedIds(Vec<(Box<str>, Json)>);

impl GeneratedIds {
    /// Adds an id. The name must not be in use yet.
    pub fn insert(&mut self, name: &str, value: Json) {
        // The default growth would reserve four entries.
        self.0.reserve_exact(1);
        self.0.push((name.into(), value));
    }

    /// Returns the id with this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(id, _)| &**id == name).map(|(_, value)| value)
    }

    /// Returns the id with this name as a template value. Ids take precedence over fields of the
    /// model with the same name.
    pub(super) fn value(&self, name: &str) -> Option<Value<'_>> {
        self.get(name).map(Value::data)
    }

    /// Converts to pairs of name and value, in the order of insertion.
    pub fn into_entries(self) -> impl Iterator<Item = (String, Json)> {
        self.0.into_iter().map(|(name, value)| (name.into(), value))
    }
}
