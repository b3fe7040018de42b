//! Values for the variables of scenarios: `--set`, `STANDIN_VAR_…` and `--allow-env`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::inputs::read;
use crate::base::file::check_inside;
use crate::config::Config;
use crate::diag::{Problem, Problems, Source, code};
use crate::scenario::{self, ParsedScenario, VariableInputs, VariableText};

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
        // Not `vars`, which panics if any variable of the environment is not text.
        for (key, value) in std::env::vars_os() {
            let (Ok(key), Ok(value)) = (key.into_string(), value.into_string()) else { continue };
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

/// Reads a scenario, once for every row of its table. Adds the names of its variables to `names`.
pub(super) fn drafts(
    source: &Arc<Source>,
    inputs: &VariableInputs,
    names: &mut BTreeSet<String>,
) -> Result<impl Iterator<Item = ParsedScenario> + use<>, Problems> {
    let mut parsed = scenario::read(source)?;
    names.extend(parsed.form.vars.names().map(str::to_owned));
    parsed.inputs = inputs.clone();
    let table = table(&parsed)?;
    parsed.into_rows(table.as_ref())
}

/// Reads the CSV file of a scenario.
fn table(parsed: &ParsedScenario) -> Result<Option<Arc<Source>>, Problem> {
    // With `[[row]]`, the file is not needed to report that there are two tables.
    let rows = parsed.form.rows.as_ref().filter(|_| parsed.form.row.is_empty());
    let Some(rows) = rows else { return Ok(None) };
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
