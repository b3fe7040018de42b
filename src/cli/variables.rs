//! Values for the variables of scenarios, and what these may reach: `--set`, `STANDIN_VAR_…`,
//! `--allow-env` and `--allow-origin`.

use clap::Args;

use crate::config::{Config, GrantedOrigin};
use crate::scenario::{VariableInputs, VariableText};

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
    /// Let the scenarios send requests to this origin beside their receiver, such as
    /// `http://localhost:8080`; can be repeated
    #[arg(long, value_name = "ORIGIN", value_parser = GrantedOrigin::parse)]
    allow_origin: Vec<GrantedOrigin>,
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
        let granted = config.allow_origin.iter().map(|origin| &origin.value);
        inputs.origins = self.allow_origin.iter().chain(granted).map(|one| one.0.clone()).collect();
        inputs
    }

    /// Returns the flags that repeat these values.
    pub(super) fn flags(&self) -> Vec<String> {
        let set =
            self.set.iter().flat_map(|(name, value)| ["--set".into(), format!("{name}={value}")]);
        let allowed = self.allow_env.iter().flat_map(|name| ["--allow-env".into(), name.clone()]);
        let granted =
            self.allow_origin.iter().flat_map(|one| ["--allow-origin".into(), one.to_string()]);
        set.chain(allowed).chain(granted).collect()
    }
}
