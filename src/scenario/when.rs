//! `when`: conditions on variables and captured values. A step is skipped unless all hold.

use serde_json::{Map, Value as Json};

use super::matcher_texts::MatcherTexts;
use super::text::{ScriptValues, TextContext, Texts, captured_names};
use super::when_form::ConditionsForm;
use crate::diag::{Problem, Problems, code};
use crate::matcher::Matcher;
use crate::record::Mismatch;
use crate::template::TooLarge;

/// Conditions of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// The path of each value, such as `vars.plan`, and its matcher.
    matchers: Vec<(String, Matcher)>,
    texts: MatcherTexts,
    /// The table as it is written.
    pub declared: Json,
}

impl Conditions {
    /// Returns the names of the captured values.
    pub(super) fn captured(&self) -> impl Iterator<Item = &str> {
        let compared = self.matchers.iter().filter_map(|(path, _)| path.strip_prefix("captured."));
        compared.chain(self.texts.written().flat_map(captured_names))
    }

    /// Returns why the step is skipped, or `None` if all conditions hold. `context` has the values of
    /// this moment.
    ///
    /// # Errors
    ///
    /// Fails if the texts of the conditions are too large.
    pub(super) fn unmet(
        &self,
        values: ScriptValues<'_>,
        context: &TextContext<'_>,
    ) -> Result<Option<String>, TooLarge> {
        let texts = self.texts.render(context)?;
        if let Some(name) = context.missing_capture() {
            return Ok(Some(format!("`when` uses `captured.{name}`, which has no value")));
        }
        let replace = |text: &str| texts.as_ref()?.get(text);
        let of_value = |(path, matcher): &(String, Matcher)| {
            let value = match path.split_once('.') {
                Some(("vars", name)) => values.variables.get(name),
                Some((_, name)) => values.captured.get(name),
                None => None,
            };
            matcher.with_texts(&replace).mismatches(&format!("`{path}`"), value)
        };
        let mismatches = self.matchers.iter().flat_map(of_value);
        let mismatches: Vec<String> =
            mismatches.map(|mismatch: Mismatch| mismatch.to_string()).collect();
        let reason = || format!("`when` does not hold: {}", mismatches.join("; "));
        Ok((!mismatches.is_empty()).then(reason))
    }
}

/// Checks that the conditions are about variables of the scenario and values that earlier steps
/// capture.
pub(super) fn check_conditions(
    form: &ConditionsForm,
    variables: &Map<String, Json>,
    texts: &Texts,
    problems: &mut Problems,
) -> Conditions {
    let captured = texts.captured();
    for (key, _) in &form.conditions {
        let variable_names: Vec<&str> = variables.keys().map(String::as_str).collect();
        let (root, names) = match key.name.split_once('.') {
            Some(("vars", name)) if variables.contains_key(name) => continue,
            Some(("captured", name)) if captured.contains(&name) => continue,
            Some((root @ "vars", _)) => (root, &*variable_names),
            Some((root @ "captured", _)) => (root, &*captured),
            _ => {
                let message = format!("`{}` is not a variable or a captured value", key.name);
                let problem = Problem::at(&key.span, code::UNKNOWN_PATH, message);
                problems.push(problem.help("write `\"vars.NAME\"` or `\"captured.NAME\"`"));
                continue;
            }
        };
        let message = if root == "vars" {
            format!("the scenario has no variable for `{}`", key.name)
        } else {
            format!("no earlier step captures a value for `{}`", key.name)
        };
        let paths: Vec<String> = names.iter().map(|name| format!("{root}.{name}")).collect();
        let problem = Problem::at(&key.span, code::UNKNOWN_PATH, message);
        problems.push(if paths.is_empty() && root == "captured" {
            problem.help("add `capture = { NAME = \"/pointer\" }` to an earlier step")
        } else if paths.is_empty() {
            problem.help("declare it with its default in `[vars]`")
        } else {
            problem.suggest_or_list(&key.name, paths.iter().map(String::as_str))
        });
    }
    let matchers = form.conditions.iter().map(|(key, matcher)| (key.name.clone(), matcher.clone()));
    let texts = MatcherTexts::compile(&form.node, texts, problems).unwrap_or_default();
    Conditions { matchers: matchers.collect(), texts, declared: form.node.to_json() }
}
