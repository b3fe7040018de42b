//! The `OpenAPI` description of a vendor's API, generated from its routes.

use serde_json::{Map, Value as Json, json};

use super::credential::{CredentialRule, CredentialScheme};
use super::forms::BodyProtocol;
use super::path_pattern::PathPattern;
use super::response::{ErrorRule, ResponseRule};
use super::rules::{ApiRules, RouteRule};
use crate::platform::account::Account;
use crate::template::Object;

/// Returns the `OpenAPI` 3.1 description of the API of an account. Examples are rendered from
/// `roots`, those of an open conversation. `server` is the base URL.
pub fn openapi(account: &Account, roots: &dyn Object, server: &str) -> Json {
    let platform = &account.platform;
    let api = &platform.api;
    let mut paths = Map::new();
    for route in &api.routes {
        for (pattern, number) in route.paths.iter().zip(1..) {
            let item = paths.entry(pattern.plain()).or_insert_with(|| json!({}));
            for method in &route.methods {
                // Unique, although a route can have several paths and methods.
                let id = match (number, route.methods.len()) {
                    (1, 1) => route.name.clone(),
                    _ => format!("{}_{}_{number}", route.name, method.to_lowercase()),
                };
                item[method.to_lowercase()] = operation(api, route, &id, pattern, roots);
            }
        }
    }
    let schemes: Map<String, Json> = api
        .credentials
        .iter()
        .filter_map(|(name, rule)| Some((name.clone(), scheme(rule)?)))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("{} API, emulated", platform.name),
            "version": platform.revision,
            "description": "Generated from the vendor's folder.",
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"securitySchemes": schemes},
    })
}

fn operation(
    api: &ApiRules,
    route: &RouteRule,
    id: &str,
    path: &PathPattern,
    roots: &dyn Object,
) -> Json {
    let names: Vec<&str> = route.operations.iter().map(|known| known.name.as_str()).collect();
    let mut operation = json!({
        "operationId": id,
        "summary": names.join(", "),
        "parameters": parameters(route, path),
        "responses": responses(api, route),
    });
    // A credential in the path is one of its parameters.
    let has_scheme =
        |name: &&String| api.credentials.get(*name).is_some_and(|rule| scheme(rule).is_some());
    let auth = route.auth.iter().map(|names| names.iter().filter(has_scheme).cloned().collect());
    let auth: Vec<Vec<String>> = auth.filter(|names: &Vec<_>| !names.is_empty()).collect();
    if !auth.is_empty() {
        operation["security"] = security(&auth);
    }
    let media_type = match route.body {
        BodyProtocol::None => return operation,
        BodyProtocol::Json | BodyProtocol::JsonBatch | BodyProtocol::Graphql => "application/json",
        BodyProtocol::Form => "application/x-www-form-urlencoded",
        BodyProtocol::File => "application/octet-stream",
    };
    let mut examples = Map::new();
    for known in &route.operations {
        let example = route.example(known, roots).and_then(Result::ok);
        let value = example.and_then(|example| match route.body {
            BodyProtocol::Form => Some(example.form.into()).filter(|form| *form != ""),
            _ => example.json,
        });
        examples.extend(value.map(|value| (known.name.clone(), json!({"value": value}))));
    }
    let content = json!({media_type: {"schema": {}, "examples": examples}});
    let is_required = matches!(route.body, BodyProtocol::Json | BodyProtocol::JsonBatch);
    operation["requestBody"] = json!({"required": is_required, "content": content});
    operation
}

/// Returns the combinations of credentials that a route accepts: one of each list.
fn security(auth: &[Vec<String>]) -> Json {
    let mut combinations = vec![Map::new()];
    for names in auth {
        let with = |combination: &Map<String, Json>, name: &String| {
            let mut combination = combination.clone();
            combination.insert(name.clone(), json!([]));
            combination
        };
        let all = combinations.iter();
        combinations =
            all.flat_map(|known| names.iter().map(move |name| with(known, name))).collect();
    }
    json!(combinations)
}

/// Returns the parameters of a path, and those of the query that a call must have.
fn parameters(route: &RouteRule, path: &PathPattern) -> Vec<Json> {
    let in_path = path.parameters().map(|name| {
        let schema = match path.values(name) {
            // An empty segment does not match a parameter.
            [] => json!({"type": "string", "minLength": 1}),
            values => json!({"type": "string", "enum": values}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let in_query = route.query.iter().map(|(name, value)| {
        let schema = json!({"type": "string", "enum": [value]});
        json!({"name": name, "in": "query", "required": true, "schema": schema})
    });
    in_path.chain(in_query).collect()
}

/// Returns the responses by status: those of the operations, then those of failed calls.
fn responses(api: &ApiRules, route: &RouteRule) -> Json {
    let mut responses = Map::new();
    let mut add = |rule: &ResponseRule, description: String| {
        let mut response = json!({"description": description});
        if let Some(media_type) = rule.media_type() {
            response["content"] = json!({media_type: {"schema": {}}});
        }
        responses.entry(rule.status().to_string()).or_insert(response);
    };
    for operation in &route.operations {
        add(&operation.response, format!("`{}` succeeded", operation.name));
    }
    let own = route.operations.iter().flat_map(|operation| &operation.errors);
    let errors: Vec<&ErrorRule> = own.chain(&route.errors).chain(&api.errors).collect();
    for rule in errors {
        add(&rule.response, rule.describe());
    }
    Json::Object(responses)
}

fn scheme(rule: &CredentialRule) -> Option<Json> {
    let description = rule.describe();
    Some(match rule.scheme_of_openapi()? {
        CredentialScheme::Http(scheme) => {
            json!({"type": "http", "scheme": scheme, "description": description})
        }
        CredentialScheme::Value { place, name } => {
            json!({"type": "apiKey", "in": place, "name": name, "description": description})
        }
    })
}
