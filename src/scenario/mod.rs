//! Scenarios: the file that says who does what, checked into a script that can be played.
//!
//! Reading and checking only; playing is left to `run`. A script is checked against every vendor
//! that it is to be played at, and by a dry run of the conversation model, so that nothing of it
//! can fail later but by the receiver's doing.

mod actions;
mod bundled;
mod cast;
mod chaos;
mod check;
mod dry_check;
mod faults;
mod forms;
mod plan;
mod repeat;
mod schema;
mod script;
mod script_state;
mod send;
mod text;

pub use bundled::{bundled, names as bundled_names};
pub use cast::CastMember;
pub use check::check;
pub use forms::ScenarioForm;
pub use schema::schema;
pub use script::{Script, ScriptFaults, SharedStaff, Step};
pub use script_state::{ScriptState, StepOutcome, StepOutput};

use std::sync::Arc;

use crate::base::text::nearest;
use crate::diag::{Form as _, NodeContent, Problem, Problems, Source, SyntaxNode, code, toml};

/// A scenario that was read and is not yet checked: what of it could be read, and what could not.
#[derive(Clone, Debug)]
pub struct ParsedScenario {
    /// The file.
    pub source: Arc<Source>,
    /// What could be read.
    pub form: ScenarioForm,
    /// What is wrong with it so far.
    pub problems: Problems,
}

/// Reads a scenario; what it means is checked later.
pub fn read(source: &Arc<Source>) -> Result<ParsedScenario, Problems> {
    let (node, mut problems) = toml::parse(source);
    if problems.broke_parsing() {
        return Err(problems);
    }
    problems.extend(no_steps(&node));
    match ScenarioForm::read(&node, &mut problems) {
        Some(form) => Ok(ParsedScenario { source: Arc::clone(source), form, problems }),
        None => Err(problems),
    }
}

/// The problem with a scenario without steps. Where something is meant to be steps, what is wrong
/// with it is told where it stands.
fn no_steps(node: &SyntaxNode) -> Problems {
    let message = "the scenario has no steps";
    let mut keys = node.as_table().into_iter().flat_map(|table| &table.0);
    let meant = keys.find(|(key, _)| nearest(&key.name, ["step"]).is_some());
    match meant.map(|(_, steps)| steps) {
        None => {
            let start = node.span.source.span(0..0);
            let problem = Problem::at(&start, code::EMPTY, message);
            problem.help("begin with `[[step]]` and `open = {}`").into()
        }
        Some(SyntaxNode { span, content: NodeContent::List(steps) }) if steps.is_empty() => {
            let problem = Problem::at(span, code::EMPTY, message);
            problem.help("each step stands under `[[step]]`").into()
        }
        Some(_) => Problems::new(),
    }
}
