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
                let mut own = operation(api, route, &id, pattern, roots);
                name_account(&mut own, account);
                match item.get_mut(method.to_lowercase()) {
                    Some(known) => merge(known, own),
                    None => item[method.to_lowercase()] = own,
                }
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

/// States the only account that the parameter of a path can name.
fn name_account(operation: &mut Json, account: &Account) {
    let Some(rule) = &account.platform.api.account else { return };
    let id = rule.is.render(&account.roots());
    let parameters = operation["parameters"].as_array_mut().into_iter().flatten();
    let is_account = |parameter: &&mut Json| {
        parameter["in"] == "path" && parameter["name"] == rule.parameter.as_str()
    };
    parameters.filter(is_account).for_each(|parameter| {
        parameter["schema"] = json!({"type": "string", "enum": [id]});
    });
}

/// Adds a route to one with the same path and method. They differ in their query or credentials.
fn merge(known: &mut Json, mut other: Json) {
    known["summary"] = format!(
        "{}, {}",
        known["summary"].as_str().unwrap_or_default(),
        other["summary"].as_str().unwrap_or_default()
    )
    .into();
    let list = |operation: &mut Json, key: &str| -> Vec<Json> {
        operation[key].as_array_mut().map(std::mem::take).unwrap_or_default()
    };
    let mut parameters = list(known, "parameters");
    let mut others = list(&mut other, "parameters");
    for parameter in &mut parameters {
        let is_same =
            |other: &Json| ["name", "in"].iter().all(|key| other[*key] == parameter[*key]);
        match others.iter().position(is_same).map(|index| others.remove(index)) {
            Some(mut other) => {
                let values = other["schema"]["enum"].as_array_mut().map(std::mem::take);
                if let (Some(known), Some(values)) =
                    (parameter["schema"]["enum"].as_array_mut(), values)
                {
                    let new: Vec<_> =
                        values.into_iter().filter(|value| !known.contains(value)).collect();
                    known.extend(new);
                }
            }
            None => parameter["required"] = false.into(),
        }
    }
    others.iter_mut().for_each(|parameter| parameter["required"] = false.into());
    parameters.extend(others);
    known["parameters"] = parameters.into();
    // Without credentials, one of the routes is public.
    let (own, more) = (list(known, "security"), list(&mut other, "security"));
    if own.is_empty() || more.is_empty() {
        known.as_object_mut().map(|operation| operation.remove("security"));
    } else {
        let new: Vec<Json> = more.into_iter().filter(|entry| !own.contains(entry)).collect();
        known["security"] = [own, new].concat().into();
    }
    extend(&mut known["responses"], other["responses"].take());
    match (known.get_mut("requestBody"), other.get_mut("requestBody").map(Json::take)) {
        (Some(known), Some(mut more)) => {
            let is_required = known["required"] == true && more["required"] == true;
            known["required"] = is_required.into();
            let more = more["content"].as_object_mut().map(std::mem::take).unwrap_or_default();
            for (media_type, mut content) in more {
                match known["content"].get_mut(&media_type) {
                    Some(known) => extend(&mut known["examples"], content["examples"].take()),
                    None => known["content"][media_type] = content,
                }
            }
        }
        (Some(known), None) => known["required"] = false.into(),
        (None, Some(mut more)) => {
            more["required"] = false.into();
            known["requestBody"] = more;
        }
        (None, None) => {}
    }
}

/// Adds the entries of another object that are not there yet.
fn extend(known: &mut Json, other: Json) {
    if let (Some(known), Json::Object(other)) = (known.as_object_mut(), other) {
        for (key, value) in other {
            known.entry(key).or_insert(value);
        }
    }
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
        "responses": responses(api, route, roots),
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
fn responses(api: &ApiRules, route: &RouteRule, roots: &dyn Object) -> Json {
    let mut responses = Map::new();
    let mut add = |rule: &ResponseRule, description: String| {
        let mut response = json!({"description": description});
        if let Some(media_type) = rule.sent_media_type(&api.header, roots) {
            response["content"] = json!({media_type: {"schema": {}}});
        }
        // The element of a batch that fails is in a list.
        if route.body == BodyProtocol::JsonBatch {
            response["content"]["application/json"] = json!({"schema": {}});
        }
        let status = rule.status().to_string();
        match responses.get_mut(&status) {
            // Several conditions can have one status.
            Some(known) => {
                let all = known["description"].as_str().unwrap_or_default();
                if !all.split("; ").any(|other| other == description) {
                    known["description"] = format!("{all}; {description}").into();
                }
            }
            None => {
                responses.insert(status, response);
            }
        }
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
