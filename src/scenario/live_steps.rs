//! Actions that people perform in a running conversation, written as in the steps of a scenario.
//!
//! They are read and checked like steps, so that the problems are the same.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Map;

use super::actions::read_action;
use super::dry_check::unsupported;
use super::forms::ScenarioForm;
use super::plan::ActionPlanner;
use super::script::{ActionPlan, Script};
use super::seeds::SeedScopes;
use super::text::{ScriptValues, TextContext, Texts};
use crate::base::limits::MAX_ACTIONS;
use crate::conversation::{Action, Conversation};
use crate::diag::{Form as _, NodeContent, Problem, Problems, SyntaxNode, Table, code};
use crate::platform::{Account, Platform};

/// A script at an account, with the seed and start of its run: what texts of actions can name.
#[derive(Clone, Debug)]
pub struct LiveScript {
    /// The script whose cast and variables the actions can use.
    pub script: Arc<Script>,
    /// The account at which it is played.
    pub account: Arc<Account>,
    /// The seed of the run.
    pub seed: u64,
    /// The run time at which the run began.
    pub start: Timestamp,
}

/// Checked actions.
#[derive(Clone, Debug)]
pub struct LiveSteps(Vec<ActionPlan>);

impl LiveScript {
    /// Reads one action, such as `{"say": {"by": "visitor", "text": "Hi"}}`, or a list of them.
    ///
    /// # Errors
    ///
    /// Returns all problems of the actions.
    pub fn read(
        &self,
        node: &SyntaxNode,
        conversation: &Conversation,
    ) -> Result<LiveSteps, Problems> {
        let mut problems = Problems::new();
        let nodes = match &node.content {
            NodeContent::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if nodes.is_empty() || nodes.len() > MAX_ACTIONS {
            let message = format!("expected 1 to {MAX_ACTIONS} actions, found {}", nodes.len());
            let problem = Problem::at(&node.span, code::EMPTY, message);
            return Err(problem.help("send the others in another request").into());
        }
        let empty = NodeContent::Table(Table::default());
        let empty = SyntaxNode { span: node.span.clone(), content: empty };
        let Some(form) = ScenarioForm::read(&empty, &mut problems) else { return Err(problems) };
        let vendors: [Arc<Platform>; 1] = [Arc::clone(&self.account.platform)];
        let texts = Texts::of(&self.script.cast, &self.script.variables);
        let mut planner =
            ActionPlanner::new(&form, &self.script.cast, &vendors, texts, &mut problems);
        for entity in &conversation.entities {
            planner.declare_entity(&entity.name, &entity.kind);
        }
        let plans: Vec<ActionPlan> =
            nodes.iter().filter_map(|node| plan(node, &mut planner)).collect();
        problems.into_result(Some(LiveSteps(plans)))
    }

    /// Renders actions with the present state of conversation `number`, from 1.
    ///
    /// # Errors
    ///
    /// Returns the reason if the vendor does not support an action, or a text cannot be rendered.
    pub fn render(
        &self,
        steps: &LiveSteps,
        conversation: &Conversation,
        number: u32,
    ) -> Result<Vec<Action>, String> {
        let (run, vendor) = (self.account.run_seeds(self.seed), &self.account.platform.id);
        let seeds = SeedScopes::new(&run, vendor, &self.script.name, number);
        // No response belongs to these steps.
        let (variables, captured) = (&*self.script.variables, &Map::new());
        let values = ScriptValues { variables, captured };
        let context = TextContext::new(conversation, &seeds.conversation, values, 1);
        let render = |plan: &ActionPlan| {
            let action = plan.render(&context).map_err(|error| error.to_string())?;
            match unsupported(&self.account, &action, conversation) {
                Some(reason) => Err(format!("{}: {reason}", self.account.platform.name)),
                None => Ok(action),
            }
        };
        steps.0.iter().map(render).collect()
    }
}

fn plan(node: &SyntaxNode, planner: &mut ActionPlanner<'_>) -> Option<ActionPlan> {
    let Some(table) = node.as_table() else {
        let message = format!("expected an action, found {}", node.kind());
        let problem = Problem::at(&node.span, code::INVALID_TYPE, message);
        planner.problems.push(problem.help("example: `{\"close\": {\"by\": \"agent\"}}`"));
        return None;
    };
    let (key, action) = read_action(&table.0, &node.span, &[], planner.problems)?;
    planner.plan(&action, &key)
}
