//! `standin schema`: prints the JSON Schemas of the file formats.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::exit::{CommandError, ExitStatus};
use super::global::Global;
use super::setup::Setup;
use super::terminal::print;
use crate::base::redact::Redactor;
use crate::config::ConfigForm;
use crate::diag::{Form as _, Problem, Problems, code};
use crate::emulator::describe_api;
use crate::platform::{Catalog, Platform, VendorForm, VendorRef};
use crate::scenario;

/// Print the JSON Schema of a file format, for editors
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// File format to describe, or `api`
    what: SchemaKind,
    /// Vendor whose API is described, for `api`: VENDOR or VENDOR@REVISION
    vendor: Option<String>,
}

/// File format with a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SchemaKind {
    /// Scenario file
    Scenario,
    /// File that scenarios include
    Shared,
    /// Configuration, `standin.toml`
    Config,
    /// Vendor definition, `vendor.toml`
    Vendor,
    /// API of a vendor, as `OpenAPI` 3.1
    Api,
}

pub(super) fn schema(args: &SchemaArgs, global: &Global) -> Result<ExitStatus, CommandError> {
    let setup = Setup::read(global)?;
    let schema = match (args.what, &args.vendor) {
        (SchemaKind::Api, vendor) => api_description(vendor.as_deref(), &setup)?,
        (what, None) => of(what, &setup.catalog),
        (_, Some(_)) => {
            let message = "only `schema api` takes a vendor";
            let problem = Problem::anywhere(code::CONTRADICTION, message);
            return Err(problem.help("remove the vendor").into());
        }
    };
    print(format_args!("{schema:#}\n"))?;
    Ok(ExitStatus::Passed)
}

/// Returns the `OpenAPI` description of a vendor's API.
fn api_description(vendor: Option<&str>, setup: &Setup) -> Result<Json, Problems> {
    let Some(vendor) = vendor else {
        let problem = Problem::anywhere(code::UNKNOWN_VENDOR, "`schema api` needs a vendor");
        return Err(problem.help(setup.vendors_with_api()).into());
    };
    let vendor = setup.vendor(vendor)?;
    setup.check_api(&vendor)?;
    let account = setup.account(&vendor)?;
    let mut description = describe_api(&account, &setup.api_url(&vendor));
    // Examples may contain configured credentials.
    Redactor::new(account.secret_references()).redact_json(&mut description);
    Ok(description)
}

/// Returns the schema of a file format. That of scenarios lists the vendors of the catalog.
pub(super) fn of(what: SchemaKind, catalog: &Catalog) -> Json {
    let (title, form) = match what {
        SchemaKind::Scenario => ("standin scenario", scenario::schema(&all_revisions(catalog))),
        SchemaKind::Shared => {
            ("standin shared parts", scenario::shared_schema(&all_revisions(catalog)))
        }
        SchemaKind::Config => ("standin configuration", config_schema(catalog)),
        // Described by its vendor.
        SchemaKind::Vendor | SchemaKind::Api => ("standin vendor", vendor_schema()),
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
