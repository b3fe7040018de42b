//! Scenarios: the file that says who does what, checked into a script that can be played.
//!
//! Reading and checking only; playing is left to `run`. A script is checked against every vendor
//! that it is to be played at, and by a dry run of the conversation model, so that nothing of it
//! can fail later but by the receiver's doing.

mod acts;
mod bundled;
mod cast;
mod check;
mod dry;
mod forms;
mod plan;
mod rounds;
mod schema;
mod script;
mod sending;
mod stage;
mod text;

pub use bundled::{bundled, names as bundled_names};
pub use cast::CastMember;
pub use check::check;
pub use forms::ScenarioForm;
pub use schema::schema;
pub use script::{Script, Step};
pub use stage::{Scene, Stage, Turn};

use std::sync::Arc;

use crate::diag::{Form as _, Problem, Problems, Source, code, toml};

/// A scenario that was read and is not yet checked: what of it could be read, and what could not.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The file.
    pub source: Arc<Source>,
    /// What could be read.
    pub form: ScenarioForm,
    /// What is wrong with it so far.
    pub problems: Problems,
}

/// Reads a scenario; what it means is checked later.
pub fn read(source: &Arc<Source>) -> Result<Draft, Problems> {
    let (node, mut problems) = toml::parse(source);
    if problems.is_empty() && node.as_table().is_some_and(|table| table.0.is_empty()) {
        let place = source.place(0..0);
        return Err(Problem::at(&place, code::EMPTY, "the scenario is empty").into());
    }
    match ScenarioForm::read(&node, &mut problems) {
        Some(form) => Ok(Draft { source: Arc::clone(source), form, problems }),
        None => Err(problems),
    }
}
