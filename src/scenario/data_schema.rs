//! Schemas of the data that messages and entities of each kind, and emitted events, can have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::platform::{FieldDefaults, Platform, always_text};

/// Schemas of the fields of a kind, by field. Each distinct schema is one alternative.
type KindFields = BTreeMap<String, Vec<FieldSchema>>;

/// Schema of a field at some vendors.
struct FieldSchema {
    vendors: BTreeSet<String>,
    schema: Json,
}

/// Kinds with the schemas of their fields at all vendors together.
#[derive(Default)]
pub(super) struct DataSchemas {
    /// `message`, `entity` or `event`: the first part of the names of the definitions.
    prefix: &'static str,
    kinds: BTreeMap<String, KindFields>,
}

impl DataSchemas {
    /// Collects the kinds of messages.
    pub(super) fn of_messages(vendors: &[Arc<Platform>]) -> Self {
        let mut schemas = Self { prefix: "message", ..Self::default() };
        for vendor in vendors {
            for (kind, rule) in &vendor.kinds {
                schemas.add(vendor, kind, &rule.data);
            }
        }
        schemas
    }

    /// Collects the kinds of entities.
    pub(super) fn of_entities(vendors: &[Arc<Platform>]) -> Self {
        let mut schemas = Self { prefix: "entity", ..Self::default() };
        for vendor in vendors {
            for (kind, data) in &vendor.entities {
                schemas.add(vendor, kind, data);
            }
        }
        schemas
    }

    /// Collects the types of emitted events.
    pub(super) fn of_emitted(vendors: &[Arc<Platform>]) -> Self {
        let mut schemas = Self { prefix: "event", ..Self::default() };
        for vendor in vendors {
            for (event_type, data) in vendor.emitted_data() {
                schemas.add(vendor, event_type, data);
            }
        }
        schemas
    }

    fn add(&mut self, vendor: &Platform, kind: &str, data: &FieldDefaults) {
        let fields = self.kinds.entry(kind.to_owned()).or_default();
        for key in data.keys() {
            let schema = field_schema(vendor, kind, key, data);
            let alternatives = fields.entry(key.to_owned()).or_default();
            match alternatives.iter_mut().find(|known| known.schema == schema) {
                Some(known) => drop(known.vendors.insert(vendor.id.clone())),
                None => alternatives
                    .push(FieldSchema { vendors: BTreeSet::from([vendor.id.clone()]), schema }),
            }
        }
    }

    /// Returns the names of the kinds.
    pub(super) fn kinds(&self) -> Vec<&str> {
        self.kinds.keys().map(String::as_str).collect()
    }

    /// Returns the definitions to which the other schemas refer: one for each field of each kind.
    pub(super) fn definitions(&self) -> impl Iterator<Item = (String, Json)> {
        self.kinds.iter().flat_map(|(kind, fields)| {
            fields.iter().map(|(field, all)| (self.name(kind, field), alternatives(all)))
        })
    }

    fn name(&self, kind: &str, field: &str) -> String {
        format!("{}.{kind}.{field}", self.prefix)
    }

    fn reference(&self, kind: &str, field: &str) -> Json {
        json!({"$ref": format!("#/definitions/{}", self.name(kind, field))})
    }

    /// Returns a schema for each field of any kind, for completion in editors that do not evaluate
    /// conditions.
    pub(super) fn all_fields(&self) -> Map<String, Json> {
        let fields: BTreeSet<&String> = self.kinds.values().flat_map(BTreeMap::keys).collect();
        fields.into_iter().map(|field| (field.clone(), self.any_kind(field))).collect()
    }

    /// Returns the schema of a field, whatever the kind.
    fn any_kind(&self, field: &str) -> Json {
        let with_it = self.kinds.iter().filter(|(_, fields)| fields.contains_key(field));
        let kinds: Vec<&str> = with_it.clone().map(|(kind, _)| kind.as_str()).collect();
        let references: Vec<Json> = kinds.iter().map(|kind| self.reference(kind, field)).collect();
        let schemas: Vec<Json> = with_it.map(|(_, fields)| alternatives(&fields[field])).collect();
        let about = descriptions(&schemas);
        let about = format!("Data of: {}. {about}", kinds.join(", "));
        json!({"anyOf": references, "description": about.trim_end()})
    }

    /// Returns, for each kind, the schemas of its fields.
    pub(super) fn by_kind(&self) -> impl Iterator<Item = (&str, Map<String, Json>)> {
        self.kinds.iter().map(|(kind, fields)| {
            let names = fields.keys();
            let fields = names.map(|field| (field.clone(), self.reference(kind, field)));
            (kind.as_str(), fields.collect())
        })
    }
}

/// Combines the schemas of a field at several vendors. Each names its vendors if they differ.
fn alternatives(all: &[FieldSchema]) -> Json {
    let named = |field: &FieldSchema| {
        let mut schema = field.schema.clone();
        if all.len() > 1 {
            let about = schema.get("description").and_then(Json::as_str).unwrap_or_default();
            let vendors: Vec<&str> = field.vendors.iter().map(String::as_str).collect();
            schema["description"] = format!("{about} ({})", vendors.join(", ")).trim().into();
        }
        schema
    };
    any_of(all.iter().map(named).collect())
}

/// Combines schemas. The description of the whole joins their descriptions.
fn any_of(mut schemas: Vec<Json>) -> Json {
    if schemas.len() == 1 {
        return schemas.pop().unwrap_or_default();
    }
    let about = descriptions(&schemas);
    json!({"anyOf": schemas, "description": about})
}

/// Returns the distinct descriptions of schemas, one a line.
fn descriptions(schemas: &[Json]) -> String {
    let mut about: Vec<&str> = Vec::new();
    for text in schemas.iter().filter_map(|schema| schema["description"].as_str()) {
        if !about.contains(&text) {
            about.push(text);
        }
    }
    about.join("\n")
}

fn field_schema(vendor: &Platform, kind: &str, key: &str, data: &FieldDefaults) -> Json {
    let default = data.defaults.get(key);
    let mut schema = match default {
        Some(Json::String(text)) if always_text(text) => json!({"type": "string"}),
        Some(_) if data.replaces_whole(key) => json!({"type": "object"}),
        other => other.map_or_else(|| json!({}), of_default),
    };
    if let Some(info) = vendor.field_info(kind, key).filter(|info| !info.values.is_empty()) {
        // Not a restriction: the documentation of the vendor may list examples only.
        schema = json!({"anyOf": [{"enum": info.values}, schema]});
    }
    data.restrict(key, &mut schema);
    if data.can_be_absent(key) && schema != json!({}) {
        schema = match schema.get_mut("anyOf").and_then(Json::as_array_mut) {
            Some(any) => {
                any.push(null());
                schema
            }
            None => {
                let none = null();
                json!({"anyOf": [schema, none]})
            }
        };
    }
    let mut about = vendor.field_about(kind, key, data);
    if let Some(default) = default {
        schema["default"] = default.clone();
        let space = if about.is_empty() { "" } else { " " };
        about += &format!("{space}Default: `{default}`.");
    }
    schema["description"] = about.into();
    schema
}

/// Null, as a step writes it: TOML has no null.
fn null() -> Json {
    json!({
        "type": "object",
        "properties": {"null": {"const": true}},
        "required": ["null"],
        "additionalProperties": false,
    })
}

/// Returns the schema of the values that the check of a scenario accepts for a field with this
/// default.
fn of_default(default: &Json) -> Json {
    // A text with a placeholder matches every type: its value is not known before the run.
    let or_placeholder =
        |schema: Json| json!({"anyOf": [schema, {"type": "string", "pattern": "\\$\\{"}]});
    match default {
        Json::Null => json!({}),
        Json::Bool(_) => or_placeholder(json!({"type": "boolean"})),
        Json::Number(_) => or_placeholder(json!({"type": "number"})),
        Json::String(text) if text.contains("${") => {
            json!({"type": ["string", "number", "boolean"]})
        }
        Json::String(_) => json!({"type": "string"}),
        Json::Array(items) => or_placeholder(list(items.first())),
        Json::Object(keys) => or_placeholder(object(keys)),
    }
}

fn list(first: Option<&Json>) -> Json {
    match first {
        None => json!({"type": "array"}),
        // A plain value sets the first key.
        Some(Json::Object(keys)) => {
            let plain = keys.values().next().map(of_default);
            let items: Vec<Json> = plain.into_iter().chain([object(keys)]).collect();
            json!({"type": "array", "items": {"anyOf": items}})
        }
        Some(item) => json!({"type": "array", "items": of_default(item)}),
    }
}

fn object(keys: &Map<String, Json>) -> Json {
    if keys.is_empty() {
        return json!({"type": "object"});
    }
    let property = |(key, default): (&String, &Json)| {
        let mut schema = of_default(default);
        schema["default"] = default.clone();
        (key.clone(), schema)
    };
    let properties: Map<String, Json> = keys.iter().map(property).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}
