//! What a call does to a conversation, as a dry run assumes it. Only what later steps depend on.

use serde_json::{Map, Value as Json};

use super::call_expectation::CallPlan;
use crate::conversation::{Action, ActionKind, Actor, Conversation, Role};
use crate::platform::Platform;
use crate::platform::api::{ActTemplate, FindKind, OperationRule, WhoRef};

/// Name of the value that holds the text of a message, by convention of the vendors' folders; also the
/// kind of such a message.
const TEXT: &str = "text";
/// Text of a message that the receiver sends, if the step has no example of it.
const ANY_TEXT: &str = "(text of the receiver)";
/// Channel of a conversation that the receiver opens.
const ANY_CHANNEL: &str = "api";

impl CallPlan {
    /// Returns whether the call opens a conversation at a vendor.
    pub(super) fn opens(&self, vendor: &Platform) -> bool {
        let mut operations = vendor.api.operations_of_call(&self.pattern.call);
        !self.is_absence && !self.is_refused() && operations.any(OperationRule::opens)
    }

    /// Returns whether the effect of the call on the order of steps is not known before it comes.
    pub(super) fn is_uncertain(&self, vendor: &Platform) -> bool {
        let changes_order = |act: &ActTemplate| {
            matches!(act, ActTemplate::Assign { .. } | ActTemplate::Close { .. })
        };
        let mut operations = vendor.api.operations_of_call(&self.pattern.call);
        !self.is_absence
            && !self.is_refused()
            && operations
                .any(|operation| operation.acts.iter().any(|rule| changes_order(&rule.act)))
    }

    /// Returns whether the call changes nothing, because it gets an error.
    fn is_refused(&self) -> bool {
        let scripted = self.respond.as_ref().and_then(|respond| respond.status);
        let is_success = |status: &u16| (200..300).contains(status);
        scripted.is_some_and(|status| !is_success(&status))
            || !(200..300).any(|status| self.status.contains(status))
    }

    /// Returns the actions of the call.
    pub(super) fn assumed_actions(
        &self,
        vendor: &Platform,
        conversation: &Conversation,
    ) -> Vec<Action> {
        if self.is_absence || self.is_refused() {
            return Vec::new();
        }
        let opens = conversation.state.is_none();
        let operations = vendor.api.operations_of_call(&self.pattern.call);
        let operations = operations.filter(|operation| operation.opens() == opens);
        // A receiver rarely speaks for the visitor, and most messages are texts.
        let key =
            |operation: &&OperationRule| (says_as_visitor(operation), says_no_text(operation));
        let Some(operation) = operations.min_by_key(key) else { return Vec::new() };
        let call = AssumedCall { plan: self, operation, conversation };
        // Actions with conditions may not happen.
        let acts = operation.acts.iter().filter(|rule| rule.when.is_empty());
        acts.filter_map(|rule| call.action(&rule.act)).collect()
    }

    fn text(&self) -> String {
        let captures = self.captures.iter().filter(|capture| capture.pointer == TEXT);
        let mut examples = captures.filter_map(|capture| capture.example.as_ref()?.as_str());
        examples.next().unwrap_or(ANY_TEXT).to_owned()
    }
}

fn says_as_visitor(operation: &OperationRule) -> bool {
    let is_visitor =
        |act: &ActTemplate| matches!(act, ActTemplate::Say { by: WhoRef::Role(Role::Visitor), .. });
    operation.acts.iter().any(|rule| is_visitor(&rule.act))
}

fn says_no_text(operation: &OperationRule) -> bool {
    let is_other = |act: &ActTemplate| matches!(act, ActTemplate::Say { kind, .. } if kind != TEXT);
    operation.acts.iter().any(|rule| is_other(&rule.act))
}

/// A call whose actions are assumed.
struct AssumedCall<'a> {
    plan: &'a CallPlan,
    operation: &'a OperationRule,
    conversation: &'a Conversation,
}

impl AssumedCall<'_> {
    fn action(&self, act: &ActTemplate) -> Option<Action> {
        let (by, kind) = match act {
            ActTemplate::Open { by, assignee, .. } => {
                let assignee = assignee.as_ref().and_then(|assignee| self.actor(assignee));
                (by, ActionKind::open(ANY_CHANNEL, assignee))
            }
            ActTemplate::Say { by, kind, text, .. } => {
                let text = text.as_ref().map(|_| self.plan.text()).unwrap_or_default();
                (by, ActionKind::Say { kind: kind.clone(), text, data: Map::<String, Json>::new() })
            }
            ActTemplate::Assign { by, to, .. } => {
                let to = to.as_ref().and_then(|to| self.actor(to));
                (by, ActionKind::Assign { to, skill: None, accept: None })
            }
            ActTemplate::Close { by, survey } => (by, ActionKind::Close { survey: *survey }),
            _ => return None,
        };
        Some(kind.by(self.actor(by)?))
    }

    /// Returns somebody of the cast who can be meant.
    fn actor(&self, who: &WhoRef) -> Option<Actor> {
        let role = match who {
            WhoRef::Assignee if self.conversation.assignee().is_some() => {
                return Some(Actor::Assignee);
            }
            WhoRef::Assignee => Role::Bot,
            WhoRef::Role(role) => *role,
            WhoRef::Found(name) => {
                let rule = self.operation.finds.iter().find(|rule| rule.name == *name)?;
                match rule.kind {
                    FindKind::Person(role) => role,
                    _ => return None,
                }
            }
        };
        let named = |role| self.conversation.person_with_role(role);
        named(role).or_else(|| named(Role::Bot)).map(Actor::Member)
    }
}
