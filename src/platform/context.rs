//! The roots of template paths at run time: named objects and values.

use crate::template::{Object, Value};

/// Most contexts have fewer roots, so that they are allocated once.
const MOST_ROOTS: usize = 12;

/// Root names with their values. A later entry shadows an earlier one of the same name.
#[derive(Clone, Default)]
pub struct TemplateContext<'a>(Vec<(&'a str, Value<'a>)>);

impl<'a> TemplateContext<'a> {
    /// Adds an object.
    #[must_use]
    pub fn with(self, name: &'a str, object: &'a dyn Object) -> Self {
        self.with_value(name, Value::Object(object))
    }

    /// Adds a value.
    #[must_use]
    pub fn with_value(mut self, name: &'a str, value: Value<'a>) -> Self {
        if self.0.is_empty() {
            self.0.reserve(MOST_ROOTS);
        }
        self.0.push((name, value));
        self
    }
}

impl Object for TemplateContext<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        // A context has fewer than ten entries, so a linear search is fast enough.
        let found = self.0.iter().rfind(|(root, _)| *root == name);
        found.map_or(Value::Absent, |(_, value)| value.clone())
    }
}
