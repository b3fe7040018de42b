//! Values for the variables of scenarios: `--set`, `STANDIN_VAR_…` and `--allow-env`.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::inputs::read;
use crate::base::file::check_inside;
use crate::config::Config;
use crate::diag::{Problem, Problems, Source, code};
use crate::scenario::{self, ParsedScenario, VariableInputs, VariableText, check_names};

/// Beginning of the environment variables that set variables of scenarios.
const PREFIX: &str = "STANDIN_VAR_";

/// Values for the variables of scenarios.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct VariableArgs {
    /// Set a variable of the scenarios; can be repeated. The environment sets variables with
    /// `STANDIN_VAR_` and their name
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Let the scenarios read this environment variable as `${env.NAME}`; can be repeated
    #[arg(long, value_name = "NAME")]
    allow_env: Vec<String>,
}

/// Parses an assignment. clap prints the error.
fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, such as order=1500")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl VariableArgs {
    /// Returns the values and permissions, those of the environment and the configuration included.
    pub(super) fn inputs(&self, config: &Config) -> VariableInputs {
        let mut inputs = VariableInputs::default();
        let given = |text: &str, origin: String| VariableText { text: text.to_owned(), origin };
        for (key, value) in std::env::vars() {
            // Empty counts as not set, as for every variable that standin reads.
            if let Some(name) = key.strip_prefix(PREFIX).filter(|_| !value.is_empty()) {
                inputs.values.insert(name.to_owned(), given(&value, key.clone()));
            }
        }
        for (name, value) in &self.set {
            inputs.values.insert(name.clone(), given(value, format!("--set {name}")));
        }
        let allowed = config.allow_env.iter().map(|name| &name.value);
        for name in self.allow_env.iter().chain(allowed) {
            inputs.environment.insert(name.clone(), std::env::var(name).ok());
        }
        inputs
    }

    /// Returns the flags that repeat these values.
    pub(super) fn flags(&self) -> Vec<String> {
        let set =
            self.set.iter().flat_map(|(name, value)| ["--set".into(), format!("{name}={value}")]);
        let allowed = self.allow_env.iter().flat_map(|name| ["--allow-env".into(), name.clone()]);
        set.chain(allowed).collect()
    }
}

/// Reads scenarios, each once for every row of its table.
pub(super) fn drafts(
    sources: &[Arc<Source>],
    inputs: &VariableInputs,
) -> Result<Vec<Vec<ParsedScenario>>, Problems> {
    let mut problems = Problems::new();
    let parsed = sources.iter().map(scenario::read);
    let parsed: Vec<ParsedScenario> = parsed.filter_map(|parsed| problems.note(parsed)).collect();
    let forms: Vec<_> = parsed.iter().map(|parsed| &parsed.form).collect();
    // A file that cannot be read may have the variable.
    if problems.is_empty() {
        problems.extend(check_names(inputs, &forms));
    }
    let mut drafts = Vec::new();
    for mut parsed in parsed {
        parsed.inputs = inputs.clone();
        let table = problems.note(table(&parsed)).unwrap_or_default();
        drafts.extend(problems.note(parsed.rows(table.as_ref())));
    }
    problems.into_result(Some(drafts))
}

/// Reads the CSV file of a scenario.
fn table(parsed: &ParsedScenario) -> Result<Option<Arc<Source>>, Problem> {
    let Some(rows) = &parsed.form.rows else { return Ok(None) };
    let file = Path::new(&parsed.source.name);
    let outside = || {
        let message = format!("`{}` is not below the folder of the scenario", rows.value);
        let problem = Problem::at(&rows.span, code::FILE_UNREADABLE, message);
        problem.help("write a path relative to the scenario file, such as `orders.csv`")
    };
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let path = folder.join(&rows.value);
    let placed = |problem: Problem| {
        let help = problem.help.clone().unwrap_or_else(|| {
            format!("the path is relative to the scenario: `{}`", path.display())
        });
        Problem { span: Some(rows.span.clone()), ..problem }.help(help)
    };
    let source = read(&path).map_err(placed)?;
    // Checked after reading, because a file that does not exist has no place.
    check_inside(folder, &path).map_err(|_| outside())?;
    Ok(Some(source))
}
