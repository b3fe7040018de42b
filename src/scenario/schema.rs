//! The JSON Schema of a scenario, from which editors complete and complain.
//!
//! It says what the forms say; what a vendor knows and what order acts have is left to `check`.

use serde_json::{Map, Value as Json, json};

use super::acts;
use super::forms::ScenarioForm;
use crate::diag::Form as _;

/// The schema of a scenario file. `kinds` are the kinds of messages that vendors are known to have;
/// others are allowed too.
pub fn schema(kinds: &[&str]) -> Json {
    let mut schema = ScenarioForm::schema();
    let acts: Map<String, Json> = acts::schemas()
        .map(|(key, mut schema)| {
            let kind = schema.pointer_mut("/properties/kind").filter(|_| key == "say");
            if let Some(kind) = kind.and_then(Json::as_object_mut) {
                kind.insert("anyOf".into(), json!([{"enum": kinds}, {"type": "string"}]));
            }
            (key.to_owned(), schema)
        })
        .collect();
    let exactly_one: Json = acts.keys().map(|key| json!({"required": [key]})).collect();
    if let Some(step) = schema.pointer_mut("/properties/step/items") {
        let overrides = "/properties/for/additionalProperties";
        if let Some(own) = step.pointer_mut(overrides) {
            close(own, &acts);
        }
        close(step, &acts);
        step["oneOf"] = exactly_one;
    }
    schema
}

/// Adds the acts to the keys of a table, and allows no others.
fn close(table: &mut Json, acts: &Map<String, Json>) {
    if let Some(properties) = table["properties"].as_object_mut() {
        properties.extend(acts.clone());
    }
    table["additionalProperties"] = json!(false);
}
