//! What a vendor's templates begin their paths at: named objects.

use crate::template::{Object, Value};

/// Objects by the names that paths begin with.
#[derive(Clone, Default)]
pub struct TemplateContext<'a>(Vec<(&'static str, Value<'a>)>);

impl<'a> TemplateContext<'a> {
    /// The same with one more object.
    #[must_use]
    pub fn with(&self, name: &'static str, object: &'a dyn Object) -> Self {
        self.with_value(name, Value::Object(object))
    }

    /// The same with one more value.
    #[must_use]
    pub fn with_value(&self, name: &'static str, value: Value<'a>) -> Self {
        let mut roots = self.clone();
        roots.0.push((name, value));
        roots
    }
}

impl Object for TemplateContext<'_> {
    fn get(&self, name: &str) -> Value<'_> {
        let found = self.0.iter().rfind(|(known, _)| *known == name);
        found.map_or(Value::Absent, |(_, value)| value.clone())
    }
}
