//! `standin schema`: what files may hold, for editors.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::{CommandError, ExitStatus, print};
use crate::config::ConfigForm;
use crate::diag::Form as _;
use crate::platform::{Catalog, VendorForm, VendorRef};
use crate::scenario;

/// Prints the JSON Schema of a file, for editors
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Which file
    what: SchemaKind,
}

/// A file that has a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SchemaKind {
    /// A scenario
    Scenario,
    /// `standin.toml`
    Config,
    /// A vendor's `vendor.toml`
    Vendor,
}

pub(super) fn schema(args: &SchemaArgs) -> Result<ExitStatus, CommandError> {
    print(format_args!("{:#}\n", of(args.what)))?;
    Ok(ExitStatus::Passed)
}

/// The schema of a file.
pub(super) fn of(what: SchemaKind) -> Json {
    let (title, form) = match what {
        SchemaKind::Scenario => ("a scenario of standin", scenario_schema()),
        SchemaKind::Config => ("standin.toml", ConfigForm::schema()),
        SchemaKind::Vendor => ("a vendor of standin", vendor_schema()),
    };
    let mut schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": title});
    if let (Some(schema), Json::Object(form)) = (schema.as_object_mut(), form) {
        schema.extend(form);
    }
    schema
}

/// The schema of a vendor's file, which needs less where it extends another's.
fn vendor_schema() -> Json {
    let mut schema = VendorForm::schema();
    let required = schema.as_object_mut().and_then(|schema| schema.remove("required"));
    schema["anyOf"] = json!([{"required": ["extends"]}, {"required": required}]);
    schema
}

/// The schema of a scenario, with the kinds of messages of the bundled vendors and their data.
fn scenario_schema() -> Json {
    let catalog = Catalog::bundled();
    let vendors = catalog.ids().filter_map(|id| catalog.load(&VendorRef::parse(id)).ok());
    let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for vendor in vendors {
        for (kind, known) in &vendor.kinds {
            kinds.entry(kind.clone()).or_default().extend(known.data.keys().map(str::to_owned));
        }
    }
    scenario::schema(&kinds)
}
