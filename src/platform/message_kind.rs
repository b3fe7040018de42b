//! Message kinds of a vendor.

use super::field_limits::{StepData, answer_problems};
use super::fields::FieldDefaults;
use crate::diag::Problem;
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

impl MessageKind {
    /// Returns the problems with values outside the limits of the vendor.
    pub fn limit_problems(&self, step: StepData<'_>) -> Vec<Problem> {
        self.data.limit_problems(step).chain(answer_problems(step)).collect()
    }
}
