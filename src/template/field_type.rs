//! Types of values, which allow a template to be checked before it is rendered.

use std::sync::Arc;

/// Type of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldType {
    /// Text.
    Text,
    /// One of a closed set of words.
    Word(&'static [&'static str]),
    /// Integer.
    Int,
    /// Boolean.
    Bool,
    /// Point in time; a filter must format it.
    Time,
    /// JSON of any type, known only when the template is rendered.
    Any,
    /// List of values of one type.
    List(Arc<FieldType>),
    /// Object with these fields.
    Table(Arc<TableType>),
}

/// Type of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableType {
    /// Description for messages, with an article: `a message`.
    pub about: &'static str,
    /// Fields.
    pub fields: Vec<Field>,
    /// True for plain data, which has a JSON form. Objects of the model have none.
    pub writable: bool,
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Type of the value.
    pub field_type: FieldType,
    /// True if the value can be absent.
    pub optional: bool,
}

impl Field {
    /// Creates a field that is always present.
    pub fn always(name: impl Into<String>, field_type: FieldType) -> Self {
        Self { name: name.into(), field_type, optional: false }
    }

    /// Creates a field that can be absent.
    pub fn maybe(name: impl Into<String>, field_type: FieldType) -> Self {
        Self { name: name.into(), field_type, optional: true }
    }
}

impl TableType {
    /// Creates the type of a model object with these fields.
    pub fn new(about: &'static str, fields: Vec<Field>) -> Self {
        Self { about, fields, writable: false }
    }

    /// Returns the field with this name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Adds a field and replaces one with the same name.
    pub fn set(&mut self, field: Field) {
        self.fields.retain(|other| other.name != field.name);
        self.fields.push(field);
    }

    /// Adds a field that is always present.
    #[must_use]
    pub fn always(mut self, name: &str, field_type: FieldType) -> Self {
        self.set(Field::always(name, field_type));
        self
    }

    /// Adds a field that can be absent.
    #[must_use]
    pub fn maybe(mut self, name: &str, field_type: FieldType) -> Self {
        self.set(Field::maybe(name, field_type));
        self
    }
}

impl FieldType {
    /// Returns the type of a list with items of this type.
    pub fn list(item: Self) -> Self {
        Self::List(Arc::new(item))
    }

    /// Returns the type of an object.
    pub fn table(table: TableType) -> Self {
        Self::Table(Arc::new(table))
    }

    /// Returns the type of an object whose keys are known only when the template is rendered.
    pub fn open_table() -> Self {
        Self::table(TableType { about: "a table of data", fields: Vec::new(), writable: true })
    }

    /// Infers the type of a JSON value.
    pub fn of_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::String(_) => Self::Text,
            serde_json::Value::Bool(_) => Self::Bool,
            serde_json::Value::Number(number) if number.is_i64() => Self::Int,
            // The first item determines the item type: lists in vendor data are assumed to be uniform.
            serde_json::Value::Array(items) => match items.first() {
                Some(first) => Self::list(Self::of_json(first)),
                None => Self::list(Self::Any),
            },
            serde_json::Value::Object(entries) => {
                let field = |(name, value): (&String, _)| Field::always(name, Self::of_json(value));
                let fields = entries.iter().map(field).collect();
                Self::table(TableType { about: "a table", fields, writable: true })
            }
            _ => Self::Any,
        }
    }

    /// Returns the description for messages, with an article.
    pub fn about(&self) -> &'static str {
        match self {
            Self::Text | Self::Word(_) => "a text",
            Self::Int => "an integer",
            Self::Bool => "a boolean",
            Self::Time => "a time",
            Self::Any => "data",
            Self::List(_) => "a list",
            Self::Table(table) => table.about,
        }
    }

    /// Returns true if a value can be inserted into a longer text.
    pub fn is_scalar(&self) -> bool {
        matches!(self, Self::Text | Self::Word(_) | Self::Int | Self::Bool | Self::Any)
    }

    /// Returns true if a value has a JSON form.
    pub fn is_writable(&self) -> bool {
        match self {
            Self::Time => false,
            Self::List(item) => item.is_writable(),
            Self::Table(table) => table.writable,
            _ => true,
        }
    }

    /// Returns the type of the elements for `$each`, or `None` if values cannot be iterated.
    pub fn item(&self) -> Option<Self> {
        match self {
            Self::List(item) => Some((**item).clone()),
            Self::Any => Some(Self::Any),
            Self::Table(table) if table.writable => {
                let entry = TableType::new(
                    "an entry",
                    vec![Field::always("name", Self::Text), Field::always("value", Self::Any)],
                );
                Some(Self::table(entry))
            }
            _ => None,
        }
    }
}
