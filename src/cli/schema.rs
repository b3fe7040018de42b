//! `standin schema`: prints the JSON Schemas of the file formats.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::exit::{CommandError, ExitStatus};
use super::terminal::print;
use crate::config::ConfigForm;
use crate::diag::Form as _;
use crate::platform::{Catalog, VendorForm, VendorRef};
use crate::scenario;

/// Print the JSON Schema of a file format, for editors
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// File format to describe
    what: SchemaKind,
}

/// File format with a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SchemaKind {
    /// Scenario file
    Scenario,
    /// Configuration, `standin.toml`
    Config,
    /// Vendor definition, `vendor.toml`
    Vendor,
}

pub(super) fn schema(args: &SchemaArgs) -> Result<ExitStatus, CommandError> {
    print(format_args!("{:#}\n", of(args.what)))?;
    Ok(ExitStatus::Passed)
}

/// Returns the schema of a file format.
pub(super) fn of(what: SchemaKind) -> Json {
    let (title, form) = match what {
        SchemaKind::Scenario => ("standin scenario", scenario_schema()),
        SchemaKind::Config => ("standin configuration", ConfigForm::schema()),
        SchemaKind::Vendor => ("standin vendor", vendor_schema()),
    };
    // Draft 7, which the common TOML extensions of editors support.
    let mut schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": title});
    if let (Some(schema), Json::Object(form)) = (schema.as_object_mut(), form) {
        schema.extend(form);
    }
    schema
}

/// Returns the schema of `vendor.toml`. A vendor that extends another one has no required keys.
fn vendor_schema() -> Json {
    let mut schema = VendorForm::schema();
    let required = schema.as_object_mut().and_then(|schema| schema.remove("required"));
    schema["anyOf"] = json!([{"required": ["extends"]}, {"required": required}]);
    schema
}

/// Returns the schema of a scenario, with the message kinds of all bundled vendors.
fn scenario_schema() -> Json {
    let catalog = Catalog::bundled();
    let vendors = catalog.ids().filter_map(|id| catalog.load(&VendorRef::parse(id)).ok());
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for vendor in vendors {
        for (kind, rule) in &vendor.kinds {
            kinds.entry(kind.clone()).or_default().extend(rule.data.keys().map(str::to_owned));
        }
    }
    scenario::schema(&kinds)
}
