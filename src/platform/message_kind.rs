//! Message kinds of a vendor.

use super::fields::FieldDefaults;
use crate::template::JsonTemplate;

/// A kind of message at a vendor.
#[derive(Clone, Debug)]
pub struct MessageKind {
    /// Neutral name of the kind that is sent: this kind, or the one named by `as`.
    pub name: String,
    /// The vendor's name for the kind.
    pub word: String,
    /// Data that a step may set.
    pub data: FieldDefaults,
    /// The message kind that this one responds to, if it does.
    pub answers: Option<String>,
    pub(super) body: JsonTemplate,
}
