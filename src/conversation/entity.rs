//! Entities of CRM events: customers, companies, articles.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::generated_ids::GeneratedIds;
use super::person::Person;
use crate::template::{Field, FieldType, Object, TableType, Value, field_value, table_type};

/// Snapshot of a customer, a company, an article or another vendor-defined object.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Name that actions use to refer to the entity.
    pub name: String,
    /// Kind, as the scenario and the vendor's platform name it.
    pub kind: String,
    /// Generated ids.
    pub ids: GeneratedIds,
    /// All fields with their current values.
    pub fields: Map<String, Json>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Creator.
    pub created_by: Person,
    /// Author of the last change; `None` until the first update.
    pub updated_by: Option<Person>,
    /// The entity as it was created; `None` until the first update.
    pub original: Option<Arc<Entity>>,
    /// Values of the fields over time.
    pub history: FieldHistory,
}

/// Values of an entity's fields over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldHistory {
    /// Values that each field has had, oldest first and without duplicates, as a list.
    values: Map<String, Json>,
    /// Time of the last change of each field.
    changed_at: ChangeTimes,
}

/// Time of the last change of each field.
#[derive(Clone, Debug, Default, PartialEq)]
struct ChangeTimes(BTreeMap<String, Timestamp>);

impl Entity {
    /// Returns whether an id or a field is this text, or is a list with it.
    pub fn has(&self, name: &str, value: &str) -> bool {
        let is_text = |one: &Json| one.as_str() == Some(value);
        let elements = self.fields.get(name).and_then(Json::as_array);
        self.text(name).as_deref() == Some(value)
            || elements.is_some_and(|all| all.iter().any(is_text))
    }

    /// Returns an id or a field as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.ids.text(name).or_else(|| {
            let value = self.fields.get(name).filter(|value| !value.is_null())?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
    }
}

impl FieldHistory {
    /// Adds the current values of all fields. Fields whose value differs have changed at this time.
    pub(super) fn record(
        &mut self,
        before: Option<&Entity>,
        fields: &Map<String, Json>,
        at: Timestamp,
    ) {
        for (name, value) in fields {
            if before.is_none_or(|before| before.fields.get(name) != Some(value)) {
                self.changed_at.0.insert(name.clone(), at);
            }
            let values = self.values.entry(name).or_insert_with(|| Json::Array(Vec::new()));
            if let Json::Array(values) = values
                && !value.is_null()
                && !values.contains(value)
            {
                values.push(value.clone());
            }
        }
        let removed = |name: &&String| !fields.contains_key(*name);
        for name in before.iter().flat_map(|before| before.fields.keys()).filter(removed) {
            self.changed_at.0.insert(name.clone(), at);
        }
    }
}

impl Object for ChangeTimes {
    fn get(&self, name: &str) -> Value<'_> {
        Value::maybe_time(self.0.get(name).copied())
    }
}

crate::fields! {
    const ENTITY of Entity {
        always created_at: FieldType::Time => |e| Value::Time(e.created_at);
        always updated_at: FieldType::Time => |e| Value::Time(e.updated_at);
        always created_by: FieldType::Any => |e| Value::Object(&e.created_by);
        maybe updated_by: FieldType::Any => |e| Value::maybe_object(e.updated_by.as_ref());
        always original: FieldType::Any => |e| Value::Object(e.original.as_deref().unwrap_or(e));
        always values: FieldType::Any => |e| Value::Object(&e.history.values);
        always changed_at: FieldType::Any => |e| Value::Object(&e.history.changed_at);
    }
}

/// Returns the type of an entity, without the fields of its kind.
pub fn entity_table(person: &TableType) -> TableType {
    let person = FieldType::table(person.clone());
    let base = table_type("an entity", ENTITY).always("created_by", person.clone());
    let mut base = base.maybe("updated_by", person);
    // They need the fields of the kind.
    base.fields.retain(|field| !WITH_FIELDS.contains(&field.name.as_str()));
    base
}

/// Fields of an entity whose types contain the fields of its kind.
const WITH_FIELDS: [&str; 3] = ["original", "values", "changed_at"];

/// Returns the type of an entity with the fields of its kind.
pub fn entity_table_with(mut entity: TableType, fields: &[Field]) -> TableType {
    fields.iter().cloned().for_each(|field| entity.set(field));
    let over_time = |about, field_type: &dyn Fn() -> FieldType| {
        let field = |field: &Field| Field { field_type: field_type(), ..field.clone() };
        FieldType::table(TableType::new(about, fields.iter().map(field).collect()))
    };
    let original = FieldType::table(TableType { about: "the original entity", ..entity.clone() });
    let values = over_time("the values of an entity", &|| FieldType::list(FieldType::Any));
    let changed_at = over_time("the times of changes", &|| FieldType::Time);
    entity.always("original", original).always("values", values).always("changed_at", changed_at)
}

impl Object for Entity {
    fn get(&self, name: &str) -> Value<'_> {
        self.ids
            .value(name)
            .or_else(|| field_value(ENTITY, self, name))
            .or_else(|| self.fields.get(name).map(Value::data))
            .unwrap_or(Value::Absent)
    }
}
