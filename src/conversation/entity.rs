//! Entities of CRM events: customers, companies, articles.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::generated_ids::GeneratedIds;
use super::person::Person;
use crate::template::{FieldType, Object, TableType, Value, field_value, table_type};

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
}

crate::fields! {
    const ENTITY of Entity {
        always created_at: FieldType::Time => |e| Value::Time(e.created_at);
        always updated_at: FieldType::Time => |e| Value::Time(e.updated_at);
        always created_by: FieldType::Any => |e| Value::Object(&e.created_by);
        maybe updated_by: FieldType::Any => |e| Value::maybe_object(e.updated_by.as_ref());
    }
}

/// Returns the type of an entity, without the fields of its kind.
pub fn entity_table(person: &TableType) -> TableType {
    let person = FieldType::table(person.clone());
    let base = table_type("an entity", ENTITY).always("created_by", person.clone());
    base.maybe("updated_by", person)
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
