//! The JSON Schema of a scenario file, for completion and validation in editors.
//!
//! It covers what the forms declare. Vendors and the order of actions are checked by `check`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::actions;
use super::forms::ScenarioForm;
use crate::diag::Form as _;

/// Returns the schema of a scenario file.
///
/// `kinds` maps the kinds of messages of all vendors to their data fields. They are suggestions:
/// other kinds are valid too, because vendors can be added.
pub fn schema(kinds: &BTreeMap<String, BTreeSet<String>>) -> Json {
    let mut schema = ScenarioForm::schema();
    let actions: Map<String, Json> = actions::schemas()
        .map(|(key, mut schema)| {
            let say = schema.pointer_mut("/properties").filter(|_| key == "say");
            if let Some(say) = say.and_then(Json::as_object_mut) {
                suggest_kinds(say, kinds);
            }
            (key.to_owned(), schema)
        })
        .collect();
    let exactly_one: Json = actions.keys().map(|key| json!({"required": [key]})).collect();
    if let Some(step) = schema.pointer_mut("/properties/step/items") {
        if let Some(overrides) = step.pointer_mut("/properties/for/additionalProperties") {
            add_actions(overrides, &actions);
        }
        add_actions(step, &actions);
        // Only a step must have an action; an override may have `skip` or `after` alone.
        step["oneOf"] = exactly_one;
    }
    schema
}

/// Adds the kinds and their data fields to the keys of `say`.
fn suggest_kinds(say: &mut Map<String, Json>, kinds: &BTreeMap<String, BTreeSet<String>>) {
    let words: Vec<&String> = kinds.keys().collect();
    say["kind"]["anyOf"] = json!([{"enum": words}, {"type": "string"}]);
    for key in kinds.values().flatten() {
        let with_key = kinds.iter().filter(|(_, data)| data.contains(key));
        let with_key: Vec<&str> = with_key.map(|(kind, _)| kind.as_str()).collect();
        let about = format!("Data of: {}.", with_key.join(", "));
        say.entry(key.clone()).or_insert_with(|| json!({"description": about}));
    }
}

/// Adds the actions to the keys of a table and rejects all other keys.
fn add_actions(table: &mut Json, actions: &Map<String, Json>) {
    if let Some(properties) = table["properties"].as_object_mut() {
        properties.extend(actions.clone());
    }
    table["additionalProperties"] = json!(false);
}
