//! What a script does next, for people who watch it.

use jiff::Timestamp;

use super::script::Step;
use crate::conversation::{Action, ActionKind, Actor, Conversation};

/// A step that comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpcomingStep {
    /// Number of the step, from 1.
    pub step: usize,
    /// The action or expectation.
    pub action: &'static str,
    /// Cast name of who does it, if that is known.
    pub by: Option<String>,
    /// Text of the message or note.
    pub text: Option<String>,
    /// Run time at which it is due; `None` if the script waits for the receiver until then.
    pub due: Option<Timestamp>,
}

impl UpcomingStep {
    /// Describes a step, with its action in the present state if it can be rendered.
    pub(super) fn of(step: &Step, action: Option<&Action>, conversation: &Conversation) -> Self {
        let assignee = || Some(conversation.assignee()?.member.name.to_string());
        let by = |action: &Action| match &action.by {
            Actor::Member(name) => Some(name.clone()),
            Actor::Assignee => assignee(),
        };
        let text = |action: &Action| match &action.kind {
            ActionKind::Say { text, .. } | ActionKind::Note { text } => Some(text.clone()),
            _ => None,
        };
        Self {
            step: step.number,
            action: action.map_or_else(|| step.action_key(), |action| action.kind.as_str()),
            by: action.and_then(by),
            text: action.and_then(text),
            due: None,
        }
    }
}
