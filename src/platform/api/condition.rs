//! Conditions under which a call fails: a closed list, with the reasons of refusals.

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::conversation::InvalidAction;
use crate::platform::session_error::SessionError;

crate::string_enum! {
    /// First word of a condition.
    pub(super) enum ConditionWord {
        /// No route has the path.
        NotFound = "not_found",
        /// No route with the path has the method.
        MethodNotAllowed = "method_not_allowed",
        /// Something that the call names does not exist.
        Unknown = "unknown",
        /// A credential is missing.
        Missing = "missing",
        /// A credential is not valid.
        Invalid = "invalid",
        /// A credential has expired.
        Expired = "expired",
        /// A limit of calls is exceeded.
        Throttled = "throttled",
        /// The body is too large.
        TooLarge = "too_large",
        /// The body cannot be parsed.
        BadBody = "bad_body",
        /// A required value is missing or has another type.
        MissingField = "missing_field",
        /// No operation of the route matches.
        UnknownOperation = "unknown_operation",
        /// An action is not possible.
        Refused = "refused",
        /// The handshake with a URL failed.
        HandshakeFailed = "handshake_failed",
    }
}

crate::string_enum! {
    /// Why an action is refused.
    pub enum RefusalReason {
        /// The conversation is closed.
        Closed = "closed",
        /// The conversation is open.
        Open = "open",
        /// The conversation was not opened.
        NotOpened = "not_opened",
        /// The person takes no part in the conversation.
        NotParticipant = "not_participant",
        /// The conversation has no assignee, or another one is needed.
        Assignee = "assignee",
        /// The vendor has no such kind of message or entity.
        UnknownKind = "unknown_kind",
        /// Requests to the URL are not allowed, or it is not a URL.
        Address = "address",
        /// The state does not admit the action for another reason.
        State = "state",
    }
}

impl ConditionWord {
    /// Returns true if the name of a credential follows the word.
    pub(super) fn has_credential(self) -> bool {
        matches!(self, Self::Missing | Self::Invalid | Self::Expired)
    }
}

/// A condition, such as `not_found`, `unknown.conversation` or `refused.closed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCondition {
    pub(super) word: ConditionWord,
    pub(super) detail: Option<String>,
}

impl CallCondition {
    pub(super) fn plain(word: ConditionWord) -> Self {
        Self { word, detail: None }
    }

    pub(super) fn about(word: ConditionWord, detail: &str) -> Self {
        Self { word, detail: Some(detail.to_owned()) }
    }

    /// No route covers the call.
    pub fn not_found() -> Self {
        Self::plain(ConditionWord::NotFound)
    }

    /// The path has no route with the method.
    pub fn method_not_allowed() -> Self {
        Self::plain(ConditionWord::MethodNotAllowed)
    }

    /// What the call names does not exist.
    pub fn unknown(name: &str) -> Self {
        Self::about(ConditionWord::Unknown, name)
    }

    /// The call does not present a credential.
    pub fn missing(credential: &str) -> Self {
        Self::about(ConditionWord::Missing, credential)
    }

    /// The call presents a credential that is not valid.
    pub fn invalid(credential: &str) -> Self {
        Self::about(ConditionWord::Invalid, credential)
    }

    /// The call presents a token that has expired.
    pub fn expired(credential: &str) -> Self {
        Self::about(ConditionWord::Expired, credential)
    }

    /// The call exceeds a limit of calls.
    pub fn throttled(throttle: &str) -> Self {
        Self::about(ConditionWord::Throttled, throttle)
    }

    /// The body is too large.
    pub fn too_large() -> Self {
        Self::plain(ConditionWord::TooLarge)
    }

    /// The body cannot be parsed.
    pub fn bad_body() -> Self {
        Self::plain(ConditionWord::BadBody)
    }

    /// A required value is missing.
    pub fn missing_field() -> Self {
        Self::plain(ConditionWord::MissingField)
    }

    /// No operation of the route matches.
    pub fn unknown_operation() -> Self {
        Self::plain(ConditionWord::UnknownOperation)
    }

    /// An action is refused.
    pub fn refused(reason: RefusalReason) -> Self {
        Self::about(ConditionWord::Refused, reason.as_str())
    }

    /// The handshake failed.
    pub fn handshake_failed() -> Self {
        Self::plain(ConditionWord::HandshakeFailed)
    }

    /// Returns true if this condition covers another one: a word covers all that follows its dot.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.word == other.word && (self.detail.is_none() || self.detail == other.detail)
    }
}

impl fmt::Display for CallCondition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(formatter, "{}.{detail}", self.word),
            None => write!(formatter, "{}", self.word),
        }
    }
}

/// Why a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The condition, which selects the response.
    pub condition: CallCondition,
    /// Description for the report, and `error.message` for templates.
    pub message: String,
}

impl CallError {
    /// Creates an error.
    pub fn new(condition: CallCondition, message: impl Into<String>) -> Self {
        Self { condition, message: message.into() }
    }

    /// Returns true if the call lacks a value, or names something that does not exist.
    pub fn is_absence(&self) -> bool {
        matches!(self.condition.word, ConditionWord::Unknown | ConditionWord::MissingField)
    }

    /// Returns true if the call lacks a value.
    pub fn is_missing_field(&self) -> bool {
        self.condition.word == ConditionWord::MissingField
    }

    /// Returns what templates see of the error: the root `error`.
    pub fn root(&self) -> Map<String, Json> {
        let entries =
            [("condition", self.condition.to_string()), ("message", self.message.clone())];
        entries.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }
}

impl From<SessionError> for CallError {
    fn from(error: SessionError) -> Self {
        let reason = match &error {
            SessionError::InvalidAction(invalid) => match invalid {
                InvalidAction::NotOpened => RefusalReason::NotOpened,
                InvalidAction::AlreadyOpen => RefusalReason::Open,
                InvalidAction::Closed | InvalidAction::SurveyOpen | InvalidAction::NoSurvey => {
                    RefusalReason::Closed
                }
                InvalidAction::NoAssignee | InvalidAction::AlreadyAssigned(_) => {
                    RefusalReason::Assignee
                }
                InvalidAction::UnknownPerson(_)
                | InvalidAction::NotJoined(_)
                | InvalidAction::OtherVisitor(_)
                | InvalidAction::RatesAsStaff(_)
                | InvalidAction::NotesAsVisitor(_)
                | InvalidAction::NotInSurvey(_)
                | InvalidAction::HasLeft(_) => RefusalReason::NotParticipant,
                _ => RefusalReason::State,
            },
            SessionError::UnknownKind(_) => RefusalReason::UnknownKind,
            SessionError::TooLarge(_) => {
                return Self::new(CallCondition::too_large(), error.to_string());
            }
        };
        Self::new(CallCondition::refused(reason), error.to_string())
    }
}
