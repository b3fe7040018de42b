//! The `OpenAPI` description of a vendor's API, generated from its routes.

use serde_json::{Map, Value as Json, json};

use super::credential::CredentialRule;
use super::forms::BodyProtocol;
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
        for (path, number) in route.paths().zip(1..) {
            let item = paths.entry(path.clone()).or_insert_with(|| json!({}));
            for method in &route.methods {
                // Unique, although a route can have several paths and methods.
                let id = match (number, route.methods.len()) {
                    (1, 1) => route.name.clone(),
                    _ => format!("{}_{}_{number}", route.name, method.to_lowercase()),
                };
                item[method.to_lowercase()] = operation(api, route, &id, &path, roots);
            }
        }
    }
    let schemes: Map<String, Json> =
        api.credentials.iter().map(|(name, rule)| (name.clone(), scheme(rule))).collect();
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

fn operation(api: &ApiRules, route: &RouteRule, id: &str, path: &str, roots: &dyn Object) -> Json {
    let names: Vec<&str> = route.operations.iter().map(|known| known.name.as_str()).collect();
    let mut operation = json!({
        "operationId": id,
        "summary": names.join(", "),
        "parameters": parameters(path),
        "responses": responses(api, route),
    });
    if !route.auth.is_empty() {
        let needed: Map<String, Json> =
            route.auth.iter().map(|name| (name.clone(), json!([]))).collect();
        operation["security"] = json!([needed]);
    }
    if route.body == BodyProtocol::Json {
        let mut examples = Map::new();
        for known in &route.operations {
            let example = route.example(known, roots).and_then(Result::ok);
            let value = example.and_then(|example| example.json);
            examples.extend(value.map(|value| (known.name.clone(), json!({"value": value}))));
        }
        let content = json!({"application/json": {"schema": {}, "examples": examples}});
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

/// Returns the parameters of a path.
fn parameters(path: &str) -> Vec<Json> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        // An empty segment does not match a parameter.
        let schema = json!({"type": "string", "minLength": 1});
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    };
    names.map(parameter).collect()
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

fn scheme(rule: &CredentialRule) -> Json {
    let description = rule.describe();
    match rule.api_key() {
        Some((place, name)) => {
            json!({"type": "apiKey", "in": place, "name": name, "description": description})
        }
        None => json!({"type": "http", "scheme": "bearer", "description": description}),
    }
}
