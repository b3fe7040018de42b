//! Checks the `want` of a step for its deliveries.

use serde_json::{Map, Value as Json};

use super::declared::Declared;
use super::matcher_texts::{MatcherTexts, RenderedTexts};
use super::text::Texts;
use super::variable_texts::VariablesRoot;
use super::want::{Want, WantForm, check_want};
use crate::diag::{Problem, Problems, code};

/// Checks the `want` of a step for its deliveries. Placeholders in its matchers are replaced at once:
/// only those of variables are allowed.
// The check of a delivery is that of its step, and a journal has the table to restore it.
pub(super) fn check_delivery_want(
    declared: &Declared<WantForm>,
    variables: &Map<String, Json>,
    problems: &mut Problems,
) -> Want {
    let want = check_want(declared, problems);
    let texts = Texts::of_variables(variables);
    let texts = MatcherTexts::compile(&declared.node, &texts, problems).unwrap_or_default();
    let rendered = match texts.render(&VariablesRoot(variables)) {
        Ok(rendered) => rendered,
        Err(error) => {
            let problem = Problem::at(declared.span(), code::TOO_MANY, error.to_string());
            problems.push(problem.help("use shorter values"));
            None
        }
    };
    rendered.map_or_else(|| want.clone(), |rendered| filled(&want, &rendered))
}

/// Returns requirements with the values of their texts.
fn filled(want: &Want, rendered: &RenderedTexts) -> Want {
    Want {
        status: want.status.clone(),
        response: want.response.with_texts(&|text| rendered.get(text)),
        declared: rendered.fill(want.declared.clone()),
    }
}
