//! Errors of an action at a vendor.

use crate::conversation::InvalidAction;
use crate::template::TooLarge;

/// Why an action did not produce payloads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The action is not possible in the current state of the conversation.
    #[error(transparent)]
    InvalidAction(#[from] InvalidAction),
    /// The vendor has no such kind of message or entity.
    #[error("the vendor has no message or entity kind `{0}`")]
    UnknownKind(String),
    /// A rendered body exceeds the size limit.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}
