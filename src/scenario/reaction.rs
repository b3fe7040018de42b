//! `[[on]]`: what a script does whenever a call of the receiver comes.

use serde_json::Map;

use super::dry_check::unsupported;
use super::script::ActionPlan;
use super::script_state::ScriptState;
use super::text::{ScriptValues, TextContext};
use crate::conversation::{Action, Conversation};
use crate::diag::SourceSpan;
use crate::record::CallRecord;

/// The actions with which a script reacts to a call.
#[derive(Debug)]
pub struct ReactionActions {
    /// Source of the reaction.
    pub span: SourceSpan,
    /// The actions, or why they are not possible.
    pub actions: Result<Vec<Action>, String>,
}

impl ScriptState {
    /// Returns whether the script reacts to calls.
    pub fn has_reactions(&self) -> bool {
        self.script.has_reactions()
    }

    /// Returns the reactions to a call that has succeeded. `names` are the names that the call can have.
    pub fn react(
        &self,
        call: &CallRecord,
        names: &[String],
        conversation: &Conversation,
    ) -> Vec<ReactionActions> {
        let no_values = Map::new();
        let captured = self.captured.as_ref().map_or(&no_values, |captured| captured.values());
        let values = ScriptValues { variables: &self.script.variables, captured };
        let mut reactions = Vec::new();
        for reaction in &self.script.reactions {
            let context = TextContext::new(conversation, &self.seeds, values, 1);
            let matches = reaction.pattern.matches(call, names, &context);
            if !matches {
                continue;
            }
            let render = |plan: &ActionPlan| {
                let mut action = plan.render(&context).map_err(|error| error.to_string())?;
                self.read_marks.resolve_upto(&mut action, plan);
                match unsupported(&self.account, &action, conversation) {
                    Some(reason) => Err(format!("{}: {reason}", self.account.platform.name)),
                    None => Ok(action),
                }
            };
            let actions: Result<Vec<Action>, String> =
                reaction.actions.iter().map(render).collect();
            let actions = match (context.missing_capture(), context.missing_entity()) {
                (Some(name), _) => Err(format!("`captured.{name}` has no value yet")),
                (None, Some(name)) => Err(format!("entity `{name}` was not created")),
                (None, None) => actions,
            };
            reactions.push(ReactionActions { span: reaction.span.clone(), actions });
        }
        reactions
    }
}
