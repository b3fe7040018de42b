//! The roots of template paths at run time: named objects and values.

use crate::template::{Object, Value};

/// Root names with their values. A later entry shadows an earlier one of the same name.
#[derive(Clone, Default)]
pub struct TemplateContext<'a>(Vec<(&'static str, Value<'a>)>);

impl<'a> TemplateContext<'a> {
    /// Returns a copy with one more object.
    #[must_use]
    pub fn with(&self, name: &'static str, object: &'a dyn Object) -> Self {
        self.with_value(name, Value::Object(object))
    }

    /// Returns a copy with one more value.
    #[must_use]
    pub fn with_value(&self, name: &'static str, value: Value<'a>) -> Self {
        let mut roots = self.clone();
        roots.0.push((name, value));
        roots
    }
}

impl Object for TemplateContext<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        // A context has fewer than ten entries, so a linear search is fast enough.
        let found = self.0.iter().rfind(|(root, _)| *root == name);
        found.map_or(Value::Absent, |(_, value)| value.clone())
    }
}
