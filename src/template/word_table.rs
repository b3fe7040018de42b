//! A vendor's words for neutral values: `[words.…]` tables.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::field_type::FieldType;
use super::text_template::TextTemplate;
use super::value::{Object, Value};
use crate::base::seed::SeedScope;

/// The words of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct WordTable {
    words: BTreeMap<String, Json>,
    otherwise: Option<(TextTemplate, SeedScope)>,
}

/// A line of words names nothing.
struct NoRoots;

impl Object for NoRoots {
    fn get(&self, _: &str) -> Value<'_> {
        Value::Absent
    }
}

impl WordTable {
    /// A table of these words. A value that has none is written as it is, or as a line gives it:
    /// what is made there is drawn by the value, and so is the same whenever it occurs.
    pub fn new(
        words: BTreeMap<String, Json>,
        otherwise: Option<(TextTemplate, SeedScope)>,
    ) -> Self {
        Self { words, otherwise }
    }

    /// Whether there is a word for every value, or for this one.
    pub(super) fn has(&self, value: &str) -> bool {
        self.otherwise.is_some() || self.words.contains_key(value)
    }

    /// What its words look like.
    pub(super) fn field_type(&self) -> FieldType {
        let made = self.otherwise.iter().map(|(line, _)| line.field_type().clone());
        let mut field_types = self.words.values().map(FieldType::of_json).chain(made);
        match field_types.next() {
            Some(field_type) if field_types.all(|other| other == field_type) => field_type,
            _ => FieldType::Any,
        }
    }

    /// The word for a value.
    pub(super) fn word<'a>(&'a self, value: Value<'a>) -> Value<'a> {
        let text = value.clone().into_text();
        match (self.words.get(text.as_ref()), &self.otherwise) {
            (Some(word), _) => Value::data(word),
            (None, Some((line, seeds))) => {
                Value::Json(std::borrow::Cow::Owned(line.value(&NoRoots, (seeds, &text))))
            }
            (None, None) => value,
        }
    }
}
