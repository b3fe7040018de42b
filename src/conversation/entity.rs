//! What CRM events are about: customers, companies, articles.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::person::Person;
use super::{GeneratedIds, made};
use crate::template::{FieldType, Object, TableType, Value, find, names as names_of};

/// A customer, a company, an article, as it is at some moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// The name by which acts refer to it.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// What the vendor's `[ids]` made for it.
    pub ids: GeneratedIds,
    /// Its fields, complete.
    pub fields: Map<String, Json>,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who created it.
    pub created_by: Person,
    /// Who changed it last, if anybody has.
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

/// A customer, a company, an article, without its fields.
pub fn names(person: &TableType) -> TableType {
    let person = FieldType::table(person.clone());
    let names = names_of("an entity", ENTITY).always("created_by", person.clone());
    names.maybe("updated_by", person)
}

impl Object for Entity {
    fn get(&self, name: &str) -> Value<'_> {
        made(&self.ids, name)
            .or_else(|| find(ENTITY, self, name))
            .or_else(|| self.fields.get(name).map(Value::data))
            .unwrap_or(Value::Absent)
    }
}
