//! A vendor's words for neutral values: the `[words.…]` tables.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::field_type::FieldType;
use super::generated_text::GeneratedText;
use super::value::Value;
use crate::base::seed::SeedScope;

/// Begins a value that is the vendor's own word already, such as an id that a client sent.
const OWN_WORD: char = '=';

/// Default of a word table: generates a word for each value that the table does not list.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultWord {
    /// Text that generates the word.
    pub text: GeneratedText,
    /// Seeds of the table.
    pub seeds: SeedScope,
}

/// Words for values.
#[derive(Clone, Debug, PartialEq)]
pub struct WordTable {
    words: BTreeMap<String, Json>,
    default: Option<DefaultWord>,
}

impl WordTable {
    /// Creates a table of words, by value.
    ///
    /// Without a default, values that are not listed remain unchanged. With one, each of them has
    /// a generated word, which is the same at every occurrence.
    pub fn new(words: BTreeMap<String, Json>, default: Option<DefaultWord>) -> Self {
        Self { words, default }
    }

    /// Returns true if the table has a word for this value.
    pub(super) fn covers(&self, value: &str) -> bool {
        self.default.is_some() || self.words.contains_key(value)
    }

    /// Returns the common type of all words, or [`FieldType::Any`] if they differ.
    pub(super) fn field_type(&self) -> FieldType {
        let default = self.default.iter().map(|default| default.text.field_type.clone());
        let mut field_types = self.words.values().map(FieldType::of_json).chain(default);
        match field_types.next() {
            Some(field_type) if field_types.all(|other| other == field_type) => field_type,
            _ => FieldType::Any,
        }
    }

    /// Returns the value for a word; a word that the table does not have remains unchanged.
    pub(super) fn neutral<'a>(&'a self, word: Value<'a>) -> Value<'a> {
        let known = self.words.iter().find(|(_, known)| word.equals(known));
        known.map_or(word, |(value, _)| value.as_str().into())
    }

    /// Returns the word for a value.
    pub(super) fn word<'a>(&'a self, value: Value<'a>) -> Value<'a> {
        let text = value.clone().into_text();
        if let Some(own) = text.strip_prefix(OWN_WORD) {
            return Value::from(own.to_owned());
        }
        match (self.words.get(text.as_ref()), &self.default) {
            (Some(word), _) => Value::data(word),
            // Seeded by the value, so that a value has the same word in every run.
            (None, Some(DefaultWord { text: default, seeds })) => {
                Value::Json(Cow::Owned(default.value(seeds, &text)))
            }
            (None, None) => value,
        }
    }
}
