//! The closed set of conditions, and what they accept.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::{Number, Value as Json};

use super::json_values::{compare, is_same, length};
use super::mismatch::{shown, shown_or_nothing};
use crate::record::Mismatch;

/// Conditions on one value. All of them must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    pub(super) conditions: Vec<Condition>,
}

/// One condition on a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Equals(Json),
    Contains(Json),
    Regex(RegexPattern),
    /// Whether the value is missing. `null` counts as missing.
    Absent(bool),
    OneOf(Vec<Json>),
    Length(u64),
    GreaterThan(Number),
    LessThan(Number),
    /// Conditions, one of which does not hold. A missing value fulfils it.
    Not(Matcher),
}

/// A regular expression. Two are equal if their texts are.
#[derive(Clone, Debug)]
pub(super) struct RegexPattern(pub(super) Regex);

impl PartialEq for RegexPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for RegexPattern {}

impl Matcher {
    /// Returns whether a value meets all conditions. `None` is a missing value.
    pub fn holds(&self, value: Option<&Json>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(value))
    }

    /// Returns the matcher with other values in place of the texts for which `replace` has one.
    #[must_use]
    pub fn with_texts(&self, replace: &dyn Fn(&str) -> Option<Json>) -> Self {
        let conditions = self.conditions.iter();
        Self { conditions: conditions.map(|condition| condition.with_texts(replace)).collect() }
    }

    /// Returns the conditions that a JSON value does not meet. `None` is a missing value.
    pub fn mismatches(&self, field: &str, value: Option<&Json>) -> Vec<Mismatch> {
        let failed = self.conditions.iter().filter(|condition| !condition.holds(value));
        failed.map(|condition| condition.mismatch(field, value)).collect()
    }

    /// Returns the conditions that a text without a type does not meet, such as that of a header. A
    /// condition about a number holds if the text is such a number.
    pub fn mismatches_in_text(&self, field: &str, text: Option<&str>) -> Vec<Mismatch> {
        let number = text.and_then(|text| serde_json::from_str::<Number>(text.trim()).ok());
        let number = number.map(Json::Number);
        let text = text.map(Json::from);
        let holds = |condition: &&Condition| {
            condition.holds(text.as_ref())
                || number.as_ref().is_some_and(|number| condition.holds(Some(number)))
        };
        let failed = self.conditions.iter().filter(|condition| !holds(condition));
        failed.map(|condition| condition.mismatch(field, text.as_ref())).collect()
    }
}

impl Condition {
    fn holds(&self, value: Option<&Json>) -> bool {
        let present = value.filter(|value| !value.is_null());
        if let Self::Absent(is_absent) = self {
            return present.is_none() == *is_absent;
        }
        if let Self::Not(matcher) = self {
            return present.is_none() || !matcher.holds(value);
        }
        let Some(value) = present else { return false };
        let is_ordered = |bound: &Number, expected: Ordering| {
            value.as_number().and_then(|number| compare(number, bound)) == Some(expected)
        };
        match self {
            Self::Equals(expected) => is_same(value, expected),
            Self::Contains(part) => contains(value, part),
            Self::Regex(pattern) => value.as_str().is_some_and(|text| pattern.0.is_match(text)),
            Self::Absent(_) | Self::Not(_) => false,
            Self::OneOf(values) => values.iter().any(|expected| is_same(value, expected)),
            Self::Length(expected) => {
                length(value).and_then(|length| u64::try_from(length).ok()) == Some(*expected)
            }
            Self::GreaterThan(bound) => is_ordered(bound, Ordering::Greater),
            Self::LessThan(bound) => is_ordered(bound, Ordering::Less),
        }
    }

    fn mismatch(&self, field: &str, value: Option<&Json>) -> Mismatch {
        let found = match (self, value.and_then(length)) {
            (Self::Length(_), Some(length)) => {
                format!("length {length} ({})", shown_or_nothing(value))
            }
            _ => shown_or_nothing(value),
        };
        Mismatch { field: field.to_owned(), expected: self.expected(), found }
    }

    fn expected(&self) -> String {
        match self {
            Self::Equals(expected) => shown(expected),
            Self::Contains(part) => format!("a value that contains {}", shown(part)),
            Self::Regex(pattern) => format!("a match of `{}`", pattern.0.as_str()),
            Self::Absent(true) => "no value".to_owned(),
            Self::Absent(false) => "a value".to_owned(),
            Self::OneOf(values) => {
                let values: Vec<String> = values.iter().map(shown).collect();
                format!("one of {}", values.join(", "))
            }
            Self::Length(expected) => format!("length {expected}"),
            Self::GreaterThan(bound) => format!("more than {bound}"),
            Self::LessThan(bound) => format!("less than {bound}"),
            Self::Not(matcher) => {
                let expected: Vec<String> = matcher.conditions.iter().map(Self::expected).collect();
                format!("anything but {}", expected.join(" and "))
            }
        }
    }

    /// Returns the condition with other values in place of its texts.
    fn with_texts(&self, replace: &dyn Fn(&str) -> Option<Json>) -> Self {
        let value = |json: &Json| match json.as_str().and_then(replace) {
            Some(replaced) => replaced,
            None => json.clone(),
        };
        match self {
            Self::Equals(expected) => Self::Equals(value(expected)),
            Self::Contains(part) => Self::Contains(value(part)),
            Self::OneOf(values) => Self::OneOf(values.iter().map(value).collect()),
            Self::Not(matcher) => Self::Not(matcher.with_texts(replace)),
            other => other.clone(),
        }
    }
}

/// Returns whether a text contains another one or a number, or a list contains an element.
fn contains(value: &Json, part: &Json) -> bool {
    match (value, part) {
        (Json::String(text), Json::String(part)) => text.contains(part.as_str()),
        // A variable in a matcher keeps its type: `{ contains = "${vars.order}" }`.
        (Json::String(text), Json::Number(part)) => text.contains(&part.to_string()),
        (Json::Array(items), part) => items.iter().any(|item| is_same(item, part)),
        _ => false,
    }
}
