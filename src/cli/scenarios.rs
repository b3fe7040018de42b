//! `standin scenarios`: lists the bundled scenarios, or prints one of them.

use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;

use super::exit::{CommandError, ExitStatus};
use super::inputs::unknown_scenario;
use super::terminal::print;
use crate::diag::Source;
use crate::scenario::{bundled, bundled_names, read};

/// List the bundled scenarios, or print one of them
#[derive(Debug, Args)]
pub(super) struct ScenariosArgs {
    /// Scenario to print, as TOML; its lines are those of messages, such as `handover:14`. Also a
    /// file that scenarios include, such as `shared/shop.toml`
    name: Option<String>,
}

pub(super) fn scenarios(args: &ScenariosArgs) -> Result<ExitStatus, CommandError> {
    match &args.name {
        Some(name) => {
            let source = bundled(name).ok_or_else(|| unknown_scenario(name))?;
            print(&source.text)?;
        }
        None => print(list())?,
    }
    Ok(ExitStatus::Passed)
}

/// Returns a line for each bundled scenario: its name, its vendors and what it is for.
fn list() -> String {
    let mut names = bundled_names();
    names.sort();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    let mut text = String::new();
    for name in &names {
        let about = bundled(name).map(|source| about(&source)).unwrap_or_default();
        let _ = writeln!(text, "{name:<width$}  {about}");
    }
    text += "\nPrint one with `standin scenarios NAME`, and play it with `standin run NAME`.\n";
    text
}

/// Returns what a scenario is for, with its vendors if it is not for all.
fn about(source: &Arc<Source>) -> String {
    let Ok(parsed) = read(source) else { return String::new() };
    let about = parsed.form.about.map(|about| about.value).unwrap_or_default();
    let vendors = parsed.form.vendors.iter().flat_map(|vendors| vendors.iter());
    let vendors: Vec<&str> = vendors.map(|vendor| vendor.as_str()).collect();
    if vendors.is_empty() { about } else { format!("{about} ({})", vendors.join(", ")) }
}
