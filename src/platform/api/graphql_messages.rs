//! Errors of GraphQL requests in the words of GraphQL.js, the reference implementation, which most
//! vendors use.

use std::collections::BTreeSet;

use async_graphql::{Pos, ServerError};
use serde_json::{Value as Json, json};

use super::graphql_schema::SchemaFile;

/// A request that cannot be parsed.
pub(super) const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// A request that does not fit the schema.
pub(super) const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";

/// Returns an entry of `errors` without a path.
pub(super) fn request_error(message: &str, at: &[Pos], code: &str) -> Json {
    let mut error = json!({"message": message});
    if !at.is_empty() {
        let places = at.iter().map(|at| json!({"line": at.line, "column": at.column}));
        error["locations"] = places.collect();
    }
    error["extensions"] = json!({"code": code});
    error
}

/// Returns the entries of `errors` for a request that is not executed.
pub(super) fn validation_errors(file: &SchemaFile, errors: &[ServerError]) -> Vec<Json> {
    let mut known = BTreeSet::new();
    let own = errors.iter().filter(|error| known.insert(error.message.clone()));
    own.map(|error| {
        let message = in_other_words(file, &error.message);
        request_error(&message, &error.locations, VALIDATION_FAILED)
    })
    .collect()
}

/// Returns the message of GraphQL.js for one of the library.
fn in_other_words(file: &SchemaFile, message: &str) -> String {
    // Every second part is in quotes.
    let parts: Vec<&str> = message.split('"').collect();
    let message = message.strip_suffix('.').unwrap_or(message);
    match parts.as_slice() {
        ["Unknown field ", field, " on type ", owner, rest @ ..] => {
            let rest = rest.join("\"");
            format!("Cannot query field \"{field}\" on type \"{owner}\"{rest}")
        }
        ["Field ", field, " argument ", argument, " of type ", owner, ..] => {
            let known = file.argument(&format!("{owner}.{field}"), argument);
            let needed = known.map_or_else(String::new, |known| known.ty.node.to_string());
            format!(
                "Field \"{field}\" argument \"{argument}\" of type \"{needed}\" is required, but it \
                 was not provided."
            )
        }
        ["Field ", field, " of type ", found, " must have a selection of subfields"] => {
            let found = file.type_of(field, found);
            format!(
                "Field \"{field}\" of type \"{found}\" must have a selection of subfields. Did you \
                 mean \"{field} {{ ... }}\"?"
            )
        }
        ["Variable ", variable, " is not used by operation ", operation, ""] => {
            format!("Variable \"{variable}\" is never used in operation \"{operation}\".")
        }
        ["Variable ", variable, " is not used"] => {
            format!("Variable \"{variable}\" is never used.")
        }
        ["Unknown fragment: ", fragment, ""] => format!("Unknown fragment \"{fragment}\"."),
        ["Operation name required in request."] => {
            "Must provide operation name if query contains multiple operations.".to_owned()
        }
        ["Schema is not configured for subscriptions."] => {
            "Subscriptions are not supported here. The vendor serves them over WebSocket only."
                .to_owned()
        }
        _ => format!("{message}."),
    }
}
