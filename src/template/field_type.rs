//! The shapes of values, so that a template is checked before it is ever rendered.

use std::sync::Arc;

/// What a value looks like.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldType {
    /// A text.
    Text,
    /// A text out of a closed set.
    Word(&'static [&'static str]),
    /// An integer.
    Int,
    /// A truth value.
    Bool,
    /// An instant.
    Time,
    /// Data of any kind.
    Any,
    /// A list of such.
    List(Arc<FieldType>),
    /// Something with these parts.
    Table(Arc<TableType>),
}

/// The parts of something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableType {
    /// What it is, for messages: `a message`.
    pub about: &'static str,
    /// Its parts.
    pub names: Vec<Field>,
    /// Whether it may be written as a whole. Plain data may; a model's thing has no spelling.
    pub whole: bool,
}

/// One part: its name, its shape, and whether it can be absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// Its shape.
    pub field_type: FieldType,
    /// Whether it can be absent.
    pub optional: bool,
}

impl Field {
    /// A part that is always there.
    pub fn always(name: impl Into<String>, field_type: FieldType) -> Self {
        Self { name: name.into(), field_type, optional: false }
    }

    /// A part that can be absent.
    pub fn maybe(name: impl Into<String>, field_type: FieldType) -> Self {
        Self { name: name.into(), field_type, optional: true }
    }
}

impl TableType {
    /// Something with these parts that is not written as a whole.
    pub fn new(about: &'static str, names: Vec<Field>) -> Self {
        Self { about, names, whole: false }
    }

    /// The part of this name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.names.iter().find(|known| known.name == name)
    }

    /// Adds a part; one of the same name gives way.
    pub fn set(&mut self, name: Field) {
        self.names.retain(|known| known.name != name.name);
        self.names.push(name);
    }

    /// The same with this part, which is always there.
    #[must_use]
    pub fn always(mut self, name: &str, field_type: FieldType) -> Self {
        self.set(Field::always(name, field_type));
        self
    }

    /// The same with this part, which can be absent.
    #[must_use]
    pub fn maybe(mut self, name: &str, field_type: FieldType) -> Self {
        self.set(Field::maybe(name, field_type));
        self
    }
}

impl FieldType {
    /// A list of such.
    pub fn list(item: Self) -> Self {
        Self::List(Arc::new(item))
    }

    /// Something with these parts.
    pub fn table(names: TableType) -> Self {
        Self::Table(Arc::new(names))
    }

    /// A table of data whose keys nobody knows beforehand.
    pub fn open_table() -> Self {
        Self::table(TableType { about: "a table of data", names: Vec::new(), whole: true })
    }

    /// The shape of given data, as far as its value tells.
    pub fn of_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::String(_) => Self::Text,
            serde_json::Value::Bool(_) => Self::Bool,
            serde_json::Value::Number(number) if number.is_i64() => Self::Int,
            serde_json::Value::Array(items) => match items.first() {
                Some(first) => Self::list(Self::of_json(first)),
                None => Self::list(Self::Any),
            },
            serde_json::Value::Object(entries) => {
                let name = |(name, value): (&String, _)| Field::always(name, Self::of_json(value));
                let names = entries.iter().map(name).collect();
                Self::table(TableType { about: "a table", names, whole: true })
            }
            _ => Self::Any,
        }
    }

    /// What it is, for messages.
    pub fn about(&self) -> &'static str {
        match self {
            Self::Text | Self::Word(_) => "a text",
            Self::Int => "an integer",
            Self::Bool => "true or false",
            Self::Time => "a time",
            Self::Any => "data",
            Self::List(_) => "a list",
            Self::Table(names) => names.about,
        }
    }

    /// Whether it can stand inside a longer text.
    pub fn is_scalar(&self) -> bool {
        matches!(self, Self::Text | Self::Word(_) | Self::Int | Self::Bool | Self::Any)
    }

    /// Whether it can be written as a value of its own.
    pub fn is_writable(&self) -> bool {
        match self {
            Self::Time => false,
            Self::List(item) => item.is_writable(),
            Self::Table(names) => names.whole,
            _ => true,
        }
    }

    /// What each element is when it is walked through; nothing where it cannot be.
    pub fn item(&self) -> Option<Self> {
        match self {
            Self::List(item) => Some((**item).clone()),
            Self::Any => Some(Self::Any),
            Self::Table(names) if names.whole => {
                let pair = TableType::new(
                    "an entry",
                    vec![Field::always("name", Self::Text), Field::always("value", Self::Any)],
                );
                Some(Self::table(pair))
            }
            _ => None,
        }
    }
}
