//! The JSON Schema of a scenario file, for completion and validation in editors.
//!
//! It covers what the forms declare, and the names and kinds of the vendors. The order of actions is
//! checked by `check`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::actions;
use super::data_schema::DataSchemas;
use super::forms::{SayForm, ScenarioForm};
use super::plan::ASSIGNEE;
use super::shared::SharedForm;
use crate::base::fake::LOCALES;
use crate::base::limits::MAX_ATTEMPTS;
use crate::conversation::Role;
use crate::diag::Form as _;
use crate::platform::Platform;

/// Kind of a message without `kind`.
const DEFAULT_KIND: &str = "text";

/// Returns the schema of a scenario file for these vendors, each in every revision.
pub fn schema(vendors: &[Arc<Platform>]) -> Json {
    let mut schema = ScenarioForm::schema();
    let messages = DataSchemas::of_messages(vendors);
    let entities = DataSchemas::of_entities(vendors);
    let emitted = DataSchemas::of_emitted(vendors);
    let parts =
        ActionParts { vendors, messages: &messages, entities: &entities, emitted: &emitted };
    let actions = actions::schemas();
    let actions = actions.map(|(key, schema)| (key.to_owned(), action(key, schema, &parts)));
    let mut definitions: Map<String, Json> = actions.collect();
    let references = definitions
        .keys()
        .map(|key| (key.clone(), json!({"$ref": format!("#/definitions/{key}")})));
    let references: Map<String, Json> = references.collect();
    let keys = references.keys().map(String::as_str).chain(["use"]);
    let exactly_one: Json = keys.map(|key| json!({"required": [key]})).collect();
    if let Some(step) = schema.pointer_mut("/properties/step/items") {
        if let Some(overrides) = step.pointer_mut("/properties/for/additionalProperties") {
            add_actions(overrides, &references);
        }
        add_actions(step, &references);
        // Only a step must have an action; an override may have `skip` or `after` alone.
        step["oneOf"] = exactly_one;
    }
    schema["required"] = json!(["step"]);
    name_vendors(&mut schema, vendors);
    set(&mut schema, "/properties/step", &json!({"minItems": 1}));
    let locales: Vec<&str> =
        LOCALES.iter().flat_map(|locale| [locale.tag, locale.full_tag]).collect();
    for path in ["/properties/locale", "/properties/cast/additionalProperties/properties/locale"] {
        set(&mut schema, path, &json!({"enum": locales}));
    }
    let want = "/properties/step/items/properties/want";
    for path in ["/properties/verify", want] {
        set(&mut schema, path, &json!({"minProperties": 1}));
        let status = format!("{path}/properties/status/items");
        set(&mut schema, &status, &json!({"pattern": "^([1-5][0-9][0-9]|[1-5]xx|any)$"}));
    }
    let attempts = json!({"minimum": 1, "maximum": MAX_ATTEMPTS});
    set(&mut schema, &format!("{want}/properties/attempts"), &attempts);
    set(&mut schema, "/properties/faults/properties/one_in", &json!({"minimum": 1}));
    let times = "/properties/step/items/properties/repeat/properties/times";
    set(&mut schema, times, &json!({"minimum": 1}));
    definitions.extend(messages.definitions().chain(entities.definitions()));
    definitions.extend(emitted.definitions());
    let step = json!({"$ref": "#/definitions/step"});
    if let Some(items) = schema.pointer_mut("/properties/step/items") {
        definitions.insert("step".into(), std::mem::replace(items, step.clone()));
    }
    let mut reaction: Map<String, Json> = references.clone();
    reaction.retain(|key, _| !actions::EXPECTATIONS.contains(&key.as_str()));
    let reaction = json!({"type": "object", "minProperties": 1, "maxProperties": 1,
        "properties": reaction, "additionalProperties": false});
    set(&mut schema, "/properties/on/items/properties/do", &json!({"items": reaction}));
    let calls: BTreeSet<&str> = vendors.iter().flat_map(|vendor| vendor.api.call_names()).collect();
    set(&mut schema, "/properties/on/items/properties/call", &json!({"enum": calls}));
    schema["properties"]["group"]["additionalProperties"]["items"] = step;
    schema["definitions"] = definitions.into();
    schema
}

/// Returns the schema of a file that scenarios include.
pub fn shared_schema(vendors: &[Arc<Platform>]) -> Json {
    let mut schema = schema(vendors);
    let form = SharedForm::schema();
    schema["description"] = form["description"].clone();
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("required");
    }
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.retain(|key, _| SharedForm::KEYS.contains(&key.as_str()));
    }
    schema
}

/// Adds keywords to the schema at a JSON pointer.
fn set(schema: &mut Json, pointer: &str, keywords: &Json) {
    let target = schema.pointer_mut(pointer).and_then(Json::as_object_mut);
    if let (Some(target), Some(keywords)) = (target, keywords.as_object()) {
        target.extend(keywords.clone());
    }
}

/// Lists the vendors wherever a scenario names one.
fn name_vendors(schema: &mut Json, vendors: &[Arc<Platform>]) {
    let ids: BTreeSet<&str> = vendors.iter().map(|vendor| vendor.id.as_str()).collect();
    let revisions = vendors.iter().map(|vendor| vendor.reference().to_string());
    let references: BTreeSet<String> =
        ids.iter().map(|id| (*id).to_owned()).chain(revisions).collect();
    set(schema, "/properties/vendors/items", &json!({"enum": references}));
    set(schema, "/properties/subscribe", &json!({"propertyNames": {"enum": ids}}));
    let step = "/properties/step/items/properties";
    set(schema, &format!("{step}/only/items"), &json!({"enum": ids}));
    set(schema, &format!("{step}/for"), &json!({"propertyNames": {"enum": ids}}));
}

/// Adds the actions to the keys of a table and rejects all other keys.
fn add_actions(table: &mut Json, actions: &Map<String, Json>) {
    if let Some(properties) = table["properties"].as_object_mut() {
        properties.extend(actions.clone());
    }
    table["additionalProperties"] = json!(false);
}

/// What the schemas of actions depend on.
struct ActionParts<'a> {
    vendors: &'a [Arc<Platform>],
    messages: &'a DataSchemas,
    entities: &'a DataSchemas,
    emitted: &'a DataSchemas,
}

/// Completes the schema of an action with what the vendors have.
fn action(key: &str, mut schema: Json, parts: &ActionParts<'_>) -> Json {
    let people = Role::NAMES.iter().copied().chain([ASSIGNEE]);
    let people: Vec<&str> = people.collect();
    for person in ["by", "to", "assignee"] {
        // A member of the cast is a person too.
        let person = format!("/properties/{person}");
        set(&mut schema, &person, &json!({"anyOf": [{"enum": people}, {"type": "string"}]}));
    }
    match key {
        "say" => say(&mut schema, parts.messages),
        "create" => create(&mut schema, parts.entities),
        "update" => {
            let fields = parts.entities.all_fields();
            set(&mut schema, "/properties/with", &json!({"properties": fields}));
        }
        "rate" => set(&mut schema, "/properties/score", &json!({"minimum": 1, "maximum": 5})),
        "flow" => set(&mut schema, "/properties/states", &json!({"minimum": 1})),
        "expect" | "expect_none" => {
            let calls = parts.vendors.iter().flat_map(|vendor| vendor.api.call_names());
            let calls = calls.chain((key == "expect_none").then_some("*"));
            let calls: BTreeSet<&str> = calls.collect();
            set(&mut schema, "/properties/call", &json!({"enum": calls}));
        }
        "emit" => {
            let types = parts.vendors.iter().flat_map(|vendor| vendor.type_names());
            let types: BTreeSet<&str> = types.collect();
            set(&mut schema, "/properties/type", &json!({"enum": types}));
            emit(&mut schema, parts.emitted);
        }
        _ => {}
    }
    schema
}

/// Adds the kinds of messages. The fields of each kind are checked by a condition on `kind`.
fn say(schema: &mut Json, messages: &DataSchemas) {
    set(schema, "/properties/kind", &json!({"enum": messages.kinds(), "default": DEFAULT_KIND}));
    let own = SayForm::KEYS;
    if let Some(properties) = schema["properties"].as_object_mut() {
        let fields = messages.all_fields();
        properties.extend(fields.into_iter().filter(|(field, _)| !own.contains(&field.as_str())));
    }
    let condition = |(kind, fields): (&str, Map<String, Json>)| {
        let names: Vec<&str> =
            own.iter().copied().chain(fields.keys().map(String::as_str)).collect();
        let mut is_kind = json!({"properties": {"kind": {"const": kind}}});
        if kind != DEFAULT_KIND {
            is_kind["required"] = json!(["kind"]);
        }
        let then = json!({"properties": fields, "propertyNames": {"enum": names}});
        json!({"if": is_kind, "then": then})
    };
    schema["allOf"] = messages.by_kind().map(condition).collect();
}

/// Adds the fields of emitted events. Others are possible: those of messages, entities and actions.
fn emit(schema: &mut Json, emitted: &DataSchemas) {
    // Only for completion: another event, such as one of variables, can have a field of this name.
    let about = |(field, schema): (String, Json)| {
        (field, json!({"description": schema["description"].clone()}))
    };
    let fields: Map<String, Json> = emitted.all_fields().into_iter().map(about).collect();
    set(schema, "/properties/data", &json!({"properties": fields}));
    let condition = |(event_type, fields): (&str, Map<String, Json>)| {
        json!({
            "if": {"properties": {"type": {"const": event_type}}, "required": ["type"]},
            "then": {"properties": {"data": {"properties": fields}}},
        })
    };
    schema["allOf"] = emitted.by_kind().map(condition).collect();
}

/// Adds the kinds of entities, with the fields of each.
fn create(schema: &mut Json, entities: &DataSchemas) {
    set(schema, "/properties/kind", &json!({"enum": entities.kinds()}));
    set(schema, "/properties/with", &json!({"properties": entities.all_fields()}));
    let condition = |(kind, fields): (&str, Map<String, Json>)| {
        let names: Vec<&String> = fields.keys().collect();
        let unset = json!({"items": {"enum": names}});
        let with = json!({"propertyNames": {"enum": names}, "properties": fields});
        json!({
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"properties": {"with": with, "unset": unset}},
        })
    };
    schema["allOf"] = entities.by_kind().map(condition).collect();
}
