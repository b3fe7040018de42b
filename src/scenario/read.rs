//! Reads a scenario file into its parsed form.

use std::sync::Arc;

use super::forms::ScenarioForm;
use super::variable_inputs::{Row, VariableInputs};
use crate::base::attachment::Attachment;
use crate::base::text::nearest;
use crate::diag::{
    Form as _, NodeContent, Problem, Problems, Source, SourceSpan, Spanned, SyntaxNode, code, toml,
};

/// The files of a scenario that its messages link to, by the place that names them.
#[derive(Clone, Debug)]
pub struct Attachments(pub(super) Vec<(SourceSpan, Arc<Attachment>)>);

impl Attachments {
    pub(super) fn get(&self, file: &Spanned<String>) -> Option<&Arc<Attachment>> {
        self.0.iter().find(|(span, _)| *span == file.span).map(|(_, attachment)| attachment)
    }
}

/// A scenario that has been read but not checked.
#[derive(Clone, Debug)]
pub struct ParsedScenario {
    /// The scenario file.
    pub source: Arc<Source>,
    /// Everything that could be read from the file.
    pub form: ScenarioForm,
    /// Problems found while reading. [`check`](super::check) adds its own.
    pub problems: Problems,
    /// The files that its messages link to; `None` if nobody has read them.
    pub attachments: Option<Arc<Attachments>>,
    /// Values from outside for the variables of the file.
    pub inputs: VariableInputs,
    /// The row of its table that this is for.
    pub(super) row: Option<Arc<Row>>,
}

impl ParsedScenario {
    /// Creates a scenario without values from outside.
    pub fn new(source: Arc<Source>, form: ScenarioForm, problems: Problems) -> Self {
        let (inputs, attachments) = (VariableInputs::default(), None);
        Self { source, form, problems, attachments, inputs, row: None }
    }
}

/// Reads a scenario file without checking its meaning.
///
/// # Errors
///
/// Returns the problems if the TOML cannot be parsed or a required key is missing.
pub(super) fn read(source: &Arc<Source>) -> Result<ParsedScenario, Problems> {
    let (node, mut problems) = toml::parse(source);
    if problems.broke_parsing() {
        return Err(problems);
    }
    problems.extend(check_has_steps(&node));
    match ScenarioForm::read(&node, &mut problems) {
        Some(form) => Ok(ParsedScenario::new(Arc::clone(source), form, problems)),
        None => Err(problems.pointing_to_top(ScenarioForm::KEYS)),
    }
}

/// Reports a scenario without steps.
fn check_has_steps(node: &SyntaxNode) -> Problems {
    let message = "the scenario has no steps";
    let mut keys = node.as_table().into_iter().flat_map(|table| &table.0);
    // A misspelled key such as `steps` is reported as an unknown key. Reporting missing steps too
    // would send the reader to the wrong line.
    let step = keys.find(|(key, _)| nearest(&key.name, ["step"]).is_some());
    match step.map(|(_, steps)| steps) {
        None => {
            let start = node.span.source.span(0..0);
            let problem = Problem::at(&start, code::EMPTY, message);
            problem.help("add a first step: `[[step]]` with `open = {}`").into()
        }
        Some(SyntaxNode { span, content: NodeContent::List(steps) }) if steps.is_empty() => {
            let problem = Problem::at(span, code::EMPTY, message);
            problem.help("write each step as a `[[step]]` table").into()
        }
        Some(_) => Problems::new(),
    }
}
