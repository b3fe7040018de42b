//! Why the live server does not do what was requested.

use crate::base::text::one_of;
use crate::diag::{Problem, Problems, code};

/// A request that the live server refuses. Nothing has changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LiveError {
    /// Something that the request names does not exist.
    #[error("{message}")]
    Unknown {
        /// What does not exist.
        message: String,
        /// What exists instead.
        help: Option<String>,
    },
    /// Input with problems.
    #[error("the input is not valid")]
    Invalid(Problems),
    /// The present state does not allow it.
    #[error("{message}")]
    Conflict {
        /// The reason.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// The server cannot do it now, whatever the request is.
    #[error("{message}")]
    Unavailable {
        /// The reason.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
}

/// Names that an error lists at most.
const MAX_LISTED: usize = 20;

impl LiveError {
    /// Something of this kind does not exist. `known` are the names of those that do.
    pub(super) fn unknown(kind: &str, name: &str, known: &[&str]) -> Self {
        let message = format!("there is no {kind} `{name}`");
        let listed = || known.iter().take(MAX_LISTED).copied();
        let problem = Problem::anywhere(code::UNKNOWN_VALUE, "").suggest(name, listed());
        let listed = (!known.is_empty()).then(|| format!("expected {}", one_of(listed())));
        Self::Unknown { message, help: problem.help.or(listed) }
    }

    /// The server cannot do it now.
    pub(super) fn unavailable(message: impl Into<String>, help: &str) -> Self {
        Self::Unavailable { message: message.into(), help: Some(help.to_owned()) }
    }

    /// The present state does not allow it.
    pub(super) fn conflict(message: impl Into<String>, help: &str) -> Self {
        Self::Conflict { message: message.into(), help: Some(help.to_owned()) }
    }
}

impl From<Problems> for LiveError {
    fn from(problems: Problems) -> Self {
        Self::Invalid(problems)
    }
}

impl From<Problem> for LiveError {
    fn from(problem: Problem) -> Self {
        Self::Invalid(problem.into())
    }
}
