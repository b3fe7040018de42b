//! `standin schema`: prints the JSON Schemas of the file formats.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::setup::Setup;
use super::terminal::print;
use crate::config::ConfigForm;
use crate::diag::Form as _;
use crate::platform::{Catalog, Platform, VendorForm, VendorRef};
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

pub(super) fn schema(args: &SchemaArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    print(format_args!("{:#}\n", of(args.what, &setup.catalog)))?;
    Ok(ExitStatus::Passed)
}

/// Returns the schema of a file format. That of scenarios lists the vendors of the catalog.
pub(super) fn of(what: SchemaKind, catalog: &Catalog) -> Json {
    let (title, form) = match what {
        SchemaKind::Scenario => ("standin scenario", scenario::schema(&all_revisions(catalog))),
        SchemaKind::Config => ("standin configuration", config_schema(catalog)),
        SchemaKind::Vendor => ("standin vendor", vendor_schema()),
    };
    // Draft 7, which the common TOML extensions of editors support.
    let mut schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": title});
    if let (Some(schema), Json::Object(form)) = (schema.as_object_mut(), form) {
        schema.extend(form);
    }
    schema
}

/// Returns the schema of a configuration, with the ids of the vendors.
fn config_schema(catalog: &Catalog) -> Json {
    let mut schema = ConfigForm::schema();
    let ids: Vec<&str> = catalog.ids().collect();
    schema["properties"]["vendor"]["propertyNames"] = json!({"enum": ids});
    schema["properties"]["endpoint"]["items"]["properties"]["vendor"]["enum"] = json!(ids);
    schema
}

/// Returns the schema of `vendor.toml` and `api.toml`. A vendor that extends another one has no
/// required keys.
fn vendor_schema() -> Json {
    let mut schema = VendorForm::schema();
    let required = schema.as_object_mut().and_then(|schema| schema.remove("required"));
    // `api.toml` has the sections about the API only.
    let (extends, api) = (json!({"required": ["extends"]}), json!({"required": ["route"]}));
    schema["anyOf"] = json!([extends, api, {"required": required}]);
    schema
}

/// Returns every vendor in every revision that loads.
fn all_revisions(catalog: &Catalog) -> Vec<Arc<Platform>> {
    let revisions = |id: &str| -> Vec<String> {
        catalog.revisions(id).iter().map(|revision| format!("{id}@{revision}")).collect()
    };
    let names = catalog.ids().flat_map(revisions);
    names.filter_map(|name| catalog.load(&VendorRef::parse(&name)).ok()).collect()
}
