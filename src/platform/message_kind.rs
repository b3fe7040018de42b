//! Kinds of messages and of entities: the vendor's word and body, and the data a step may give.

use super::fields::FieldDefaults;
use crate::template::JsonTemplate;

/// A kind of message at a vendor.
#[derive(Clone, Debug)]
pub struct MessageKind {
    /// The kind that is sent: itself, or the one that stands in for it.
    pub name: String,
    /// The vendor's word for it.
    pub word: String,
    /// What a step may give.
    pub data: FieldDefaults,
    /// The kind that it answers, if it answers one.
    pub answers: Option<String>,
    pub(super) body: JsonTemplate,
}
