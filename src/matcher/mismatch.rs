//! A value that does not match.

use std::fmt;

use serde_json::Value as Json;

use crate::base::text::excerpt;

/// Maximum number of characters of a value in a message.
// Identifies the value. A whole nested document would hide the other mismatches.
const MAX_VALUE: usize = 120;

/// A field whose value does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The field, such as ``body `/ok` ``.
    pub field: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, expected, found } = self;
        write!(formatter, "{field}: expected {expected}, found {found}")
    }
}

/// Formats a value for a message, shortened.
pub(super) fn shown(value: &Json) -> String {
    excerpt(&value.to_string(), MAX_VALUE)
}

/// Formats a value that may be missing.
pub(super) fn shown_or_nothing(value: Option<&Json>) -> String {
    value.map_or_else(|| "nothing".to_owned(), shown)
}
