//! Requests to a GraphQL API: reads, validates and executes them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_graphql::dynamic::Schema;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::{Request, Response, Variables};
use serde_json::{Map, Value as Json, json};

use super::graphql_field::{FieldResolver, RequestFields};
use super::graphql_messages::{VALIDATION_FAILED, parse_error, request_error, validation_errors};
use super::graphql_positions::misplaced_variables;
use super::graphql_schema::SchemaFile;
use super::graphql_variables::{check_variables, with_javascript_numbers};
use super::query_size::check_size;

/// How async-graphql begins its error for a field that cannot be null.
const NULL_ERROR: &str = "internal: non-null types";

/// The GraphQL API of a vendor.
pub struct GraphqlApi {
    pub(super) file: SchemaFile,
    /// The fields that operations resolve.
    operations: BTreeSet<String>,
    /// What executes queries, once there was one: it needs more memory than the rest of a vendor.
    schema: OnceLock<Option<Schema>>,
    /// Code of errors of fields.
    code: String,
}

/// The response to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphqlResponse {
    /// The body.
    pub body: Json,
    /// Why the request was not executed.
    pub invalid: Option<String>,
}

/// A request as the client sends it.
struct ReadRequest<'a> {
    query: &'a str,
    operation: Option<&'a str>,
    variables: Map<String, Json>,
}

impl fmt::Debug for GraphqlApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GraphqlApi").finish_non_exhaustive()
    }
}

impl GraphqlApi {
    /// Checks the API. `operations` are the fields that operations resolve.
    pub(super) fn new(
        file: SchemaFile,
        code: String,
        operations: BTreeSet<String>,
    ) -> Result<Self, String> {
        file.build(&operations)?;
        Ok(Self { file, operations, schema: OnceLock::new(), code })
    }

    /// Executes a request. `body` is its JSON body, or the parameters of its query.
    pub async fn execute(&self, body: &Json, resolver: Arc<dyn FieldResolver>) -> GraphqlResponse {
        let request = match read(body) {
            Ok(request) => request,
            Err(message) => return invalid(&[request_error(&message, &[], "BAD_REQUEST")]),
        };
        let document = match parse_query(request.query) {
            Ok(document) => document,
            Err(error) => return invalid(&[parse_error(request.query, &error)]),
        };
        let mut variables: BTreeSet<String> = request.variables.keys().cloned().collect();
        if let Some(operation) = chosen(&document, request.operation) {
            if let Err(message) = check_size(&document, operation) {
                return invalid(&[request_error(&message, &[], VALIDATION_FAILED)]);
            }
            let misplaced = misplaced_variables(&self.file, &document, operation);
            let misplaced = misplaced
                .iter()
                .map(|found| request_error(&found.message, &found.at, VALIDATION_FAILED));
            let misplaced: Vec<Json> = misplaced.collect();
            if !misplaced.is_empty() {
                return invalid(&misplaced);
            }
            let mistakes = check_variables(&self.file, operation, &request.variables);
            let mistakes = mistakes.iter().map(|text| request_error(text, &[], &self.code));
            let mistakes: Vec<Json> = mistakes.collect();
            if !mistakes.is_empty() {
                return invalid(&mistakes);
            }
            let definitions = operation.variable_definitions.iter().map(|known| &known.node);
            let defaults = definitions.filter(|known| known.default_value.is_some());
            variables.extend(defaults.map(|known| known.name.node.to_string()));
        }
        let errors = Arc::new(Mutex::new(Vec::new()));
        let fields = RequestFields {
            resolver,
            code: self.code.clone(),
            variables,
            errors: Arc::clone(&errors),
        };
        let query = Request::new(request.query).data(fields);
        let query = query.variables(Variables::from_json(Json::Object(request.variables)));
        let query = match request.operation {
            Some(name) => query.operation_name(name),
            None => query,
        };
        let schema = self.schema.get_or_init(|| self.file.build(&self.operations).ok());
        // It was built before, to check it.
        let Some(schema) = schema else {
            return invalid(&[request_error("the schema is not valid", &[], &self.code)]);
        };
        let response = schema.execute(query).await;
        let errors = std::mem::take(&mut *errors.lock().unwrap_or_else(PoisonError::into_inner));
        self.respond(response, errors)
    }

    /// Creates the response from what async-graphql returns and the errors of fields.
    fn respond(&self, response: Response, mut errors: Vec<Json>) -> GraphqlResponse {
        let data = response.data.into_json().unwrap_or_default();
        // No field fails: its error is in the list, and it is null.
        if data.is_null() && errors.is_empty() && !response.errors.is_empty() {
            return invalid(&validation_errors(&self.file, &response.errors));
        }
        // The error of a field that cannot be null is in the list too.
        let others = response.errors.iter().filter(|error| !error.message.starts_with(NULL_ERROR));
        errors.extend(others.map(|error| json!(error)));
        // Nothing was selected after all, such as with `@skip`.
        let data = if data.is_null() && errors.is_empty() { json!({}) } else { data };
        let body = match errors.as_slice() {
            [] => json!({"data": data}),
            errors => json!({"errors": errors, "data": data}),
        };
        GraphqlResponse { body, invalid: None }
    }
}

/// Returns the response to a request that is not executed.
fn invalid(errors: &[Json]) -> GraphqlResponse {
    let messages: Vec<&str> = errors.iter().filter_map(|error| error["message"].as_str()).collect();
    let invalid = Some(messages.join(" "));
    GraphqlResponse { body: json!({"errors": errors}), invalid }
}

fn read(body: &Json) -> Result<ReadRequest<'_>, String> {
    if body.is_array() {
        return Err("Operation batching disabled.".to_owned());
    }
    let query = body.get("query").and_then(Json::as_str).filter(|query| !query.trim().is_empty());
    let Some(query) = query else { return Err("Must provide query string.".to_owned()) };
    let operation = body.get("operationName").and_then(Json::as_str);
    let variables = match body.get("variables") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(variables)) => with_javascript_numbers(variables),
        // As in the query of a URL.
        Some(Json::String(text)) if text.trim().is_empty() => Map::new(),
        Some(Json::String(text)) => {
            serde_json::from_str(text).map_err(|_| "Variables are invalid JSON.".to_owned())?
        }
        Some(_) => return Err("Variables must be provided as an object.".to_owned()),
    };
    Ok(ReadRequest { query, operation: operation.filter(|name| !name.is_empty()), variables })
}

/// Returns the operation that a request executes.
fn chosen<'d>(
    document: &'d ExecutableDocument,
    name: Option<&str>,
) -> Option<&'d OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(&operation.node),
        (DocumentOperations::Multiple(all), Some(name)) => {
            all.iter().find(|(known, _)| *known == name).map(|(_, operation)| &operation.node)
        }
        // Also one with a name.
        (DocumentOperations::Multiple(all), None) => {
            let mut all = all.values();
            let first = all.next().filter(|_| all.next().is_none());
            first.map(|operation| &operation.node)
        }
    }
}
