//! The conversations of a scenario: most have one, others name several, which are played interleaved.

use super::cast::CastMember;
use super::groups::PlacedStep;
use super::script::{ScriptConversation, Step, StepPlan};
use crate::base::limits::MAX_SCRIPT_CONVERSATIONS;
use crate::base::text::{NAME_RULE, is_name};
use crate::conversation::{Actor, Role};
use crate::diag::{Problem, Problems, Spanned, code};

/// The names of the conversations, in the order of their first steps. The one without a name is `None`.
pub(super) struct ConversationNames<'a>(Vec<Option<&'a str>>);

impl<'a> ConversationNames<'a> {
    /// Collects the names of the steps.
    pub(super) fn of(steps: &[PlacedStep<'a>], problems: &mut Problems) -> Self {
        let mut names = Vec::new();
        for conversation in steps.iter().map(|step| step.conversation) {
            let name = conversation.map(|name| name.value.as_str());
            if names.contains(&name) {
                continue;
            }
            names.push(name);
            let Some(conversation) = conversation else { continue };
            if !is_name(conversation) {
                let message = format!("invalid name `{}` of a conversation", conversation.value);
                let problem = Problem::at(&conversation.span, code::RESERVED_NAME, message);
                problems.push(problem.help(format!("a name is {NAME_RULE}")));
            }
            if names.len() == MAX_SCRIPT_CONVERSATIONS + 1 {
                problems.push(too_many(conversation));
            }
        }
        Self(names)
    }

    /// Returns the index of the conversation of a step.
    pub(super) fn index(&self, step: &PlacedStep<'_>) -> usize {
        let name = step.conversation.map(|name| name.value.as_str());
        self.0.iter().position(|known| *known == name).unwrap_or_default()
    }

    /// Returns the conversations. The visitor of each is the first one who acts in it by name.
    pub(super) fn conversations(
        &self,
        steps: &[Step],
        cast: &[CastMember],
    ) -> Vec<ScriptConversation> {
        let is_visitor =
            |name: &String| cast.iter().any(|m| *m.name == **name && m.role == Role::Visitor);
        let visitor = |index: usize| {
            let mut own = steps.iter().filter(|step| step.conversation == index);
            own.find_map(|step| match &step.plan {
                StepPlan::Act(plan) => match &plan.action.by {
                    Actor::Member(name) => Some(name).filter(|name| is_visitor(name)).cloned(),
                    Actor::Assignee => None,
                },
                StepPlan::Expect(_) => None,
            })
        };
        (0..self.0.len().max(1))
            .map(|index| ScriptConversation { visitor: visitor(index) })
            .collect()
    }
}

fn too_many(conversation: &Spanned<String>) -> Problem {
    let message = format!("the scenario has more than {MAX_SCRIPT_CONVERSATIONS} conversations");
    let problem = Problem::at(&conversation.span, code::TOO_MANY, message);
    problem.help("`--conversations N` plays a scenario N times")
}
