//! The JSON Schema of a scenario, from which editors complete and complain.
//!
//! It says what the forms say; what a vendor knows and what order acts have is left to `check`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::actions;
use super::forms::ScenarioForm;
use crate::diag::Form as _;

/// The schema of a scenario file. `kinds` are the kinds of messages that vendors are known to have,
/// with their data; others are allowed too.
pub fn schema(kinds: &BTreeMap<String, BTreeSet<String>>) -> Json {
    let mut schema = ScenarioForm::schema();
    let actions: Map<String, Json> = actions::schemas()
        .map(|(key, mut schema)| {
            let said = schema.pointer_mut("/properties").filter(|_| key == "say");
            if let Some(said) = said.and_then(Json::as_object_mut) {
                offer(said, kinds);
            }
            (key.to_owned(), schema)
        })
        .collect();
    let exactly_one: Json = actions.keys().map(|key| json!({"required": [key]})).collect();
    if let Some(step) = schema.pointer_mut("/properties/step/items") {
        let overrides = "/properties/for/additionalProperties";
        if let Some(own) = step.pointer_mut(overrides) {
            close(own, &actions);
        }
        close(step, &actions);
        step["oneOf"] = exactly_one;
    }
    schema
}

/// Offers the kinds, and the data of each among the keys of `say`.
fn offer(said: &mut Map<String, Json>, kinds: &BTreeMap<String, BTreeSet<String>>) {
    let words: Vec<&String> = kinds.keys().collect();
    said["kind"]["anyOf"] = json!([{"enum": words}, {"type": "string"}]);
    for key in kinds.values().flatten() {
        let with = kinds.iter().filter(|(_, data)| data.contains(key));
        let with: Vec<&str> = with.map(|(kind, _)| kind.as_str()).collect();
        let about = format!("Data of: {}.", with.join(", "));
        said.entry(key.clone()).or_insert_with(|| json!({"description": about}));
    }
}

/// Adds the acts to the keys of a table, and allows no others.
fn close(table: &mut Json, actions: &Map<String, Json>) {
    if let Some(properties) = table["properties"].as_object_mut() {
        properties.extend(actions.clone());
    }
    table["additionalProperties"] = json!(false);
}
