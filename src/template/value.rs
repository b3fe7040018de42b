//! Values that holes are filled with, and the objects that hold them.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::field_type::{Field, FieldType, TableType};

/// A value on its way into a hole.
#[derive(Clone)]
pub enum Value<'a> {
    /// There is none.
    Absent,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// An instant; a filter says how it is spelled.
    Time(Timestamp),
    /// A list.
    List(Vec<Value<'a>>),
    /// Something with named parts that is never written as a whole.
    Object(&'a dyn Object),
    /// One entry of a table: its name and its value.
    Pair(&'a str, &'a Json),
    /// Data as it was given.
    Json(Cow<'a, Json>),
}

/// Something whose parts a hole can name.
pub trait Object: Send + Sync {
    /// The part of this name; absent where there is none now.
    fn get(&self, name: &str) -> Value<'_>;
}

/// One part of a model: its name, its shape, whether it can be absent, and how to get it. One
/// table of these is both what a template is checked against and what it is rendered from.
pub struct ObjectField<T: ?Sized> {
    /// The name.
    pub name: &'static str,
    /// The shape of its value.
    pub field_type: fn() -> FieldType,
    /// Whether it can be absent.
    pub optional: bool,
    /// How to get it.
    pub get: for<'a> fn(&'a T) -> Value<'a>,
}

/// Declares a table of fields: `always name: shape => getter;` or `maybe name: shape => getter;`.
#[macro_export]
macro_rules! fields {
    (const $table:ident of $type:ty { $( $presence:ident $name:ident: $field_type:expr => $get:expr; )* }) => {
        const $table: &[$crate::template::ObjectField<$type>] = &[$(
            $crate::template::ObjectField {
                name: stringify!($name),
                field_type: || $field_type,
                optional: $crate::fields!(@ $presence),
                get: $get,
            },
        )*];
    };
    (@ always) => { false };
    (@ maybe) => { true };
}

/// The part of this name out of a table of fields.
pub fn find<'a, T: ?Sized>(
    fields: &[ObjectField<T>],
    object: &'a T,
    name: &str,
) -> Option<Value<'a>> {
    fields.iter().find(|field| field.name == name).map(|field| (field.get)(object))
}

/// The names of a table of fields.
pub fn names<T: ?Sized>(about: &'static str, fields: &[ObjectField<T>]) -> TableType {
    let name = |field: &ObjectField<T>| Field {
        name: field.name.to_owned(),
        field_type: (field.field_type)(),
        optional: field.optional,
    };
    TableType::new(about, fields.iter().map(name).collect())
}

impl<'a> Value<'a> {
    /// A text, or absent.
    pub fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::Absent, Self::from)
    }

    /// An instant, or absent.
    pub fn maybe_time(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Absent, Self::Time)
    }

    /// An object, or absent.
    pub fn maybe_object<T: Object>(object: Option<&'a T>) -> Self {
        object.map_or(Self::Absent, |object| Self::Object(object))
    }

    /// A list of objects.
    pub fn objects<T: Object + 'a>(objects: impl IntoIterator<Item = &'a T>) -> Self {
        Self::List(objects.into_iter().map(|object| Self::Object(object)).collect())
    }

    /// Data as it was given.
    pub fn data(json: &'a Json) -> Self {
        Self::Json(Cow::Borrowed(json))
    }

    /// Whether there is no value.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Whether there is a value other than `null`.
    pub fn is_something(&self) -> bool {
        !self.is_absent() && !matches!(self, Self::Json(json) if json.is_null())
    }

    /// The part of this name.
    #[must_use]
    pub fn get(self, name: &str) -> Value<'a> {
        match self {
            Self::Object(object) => object.get(name),
            Self::Pair(key, _) if name == "name" => Self::Text(Cow::Borrowed(key)),
            Self::Pair(_, value) if name == "value" => Self::data(value),
            Self::Json(Cow::Borrowed(json)) => json.get(name).map_or(Self::Absent, Self::data),
            Self::Json(Cow::Owned(mut json)) => {
                json.get_mut(name).map_or(Self::Absent, |part| Self::Json(Cow::Owned(part.take())))
            }
            _ => Self::Absent,
        }
    }

    /// The elements of a list, or the entries of a table.
    pub fn items(self) -> Vec<Value<'a>> {
        match self {
            Self::List(items) => items,
            Self::Json(Cow::Borrowed(Json::Array(items))) => items.iter().map(Self::data).collect(),
            Self::Json(Cow::Borrowed(Json::Object(entries))) => {
                entries.iter().map(|(name, value)| Self::Pair(name, value)).collect()
            }
            Self::Json(Cow::Owned(Json::Array(items))) => {
                items.into_iter().map(|item| Self::Json(Cow::Owned(item))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The value as a text inside a longer one.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Json(Cow::Borrowed(Json::String(text))) => Cow::Borrowed(text),
            Self::Json(Cow::Owned(Json::String(text))) => Cow::Owned(text),
            other => Cow::Owned(other.into_json().to_string()),
        }
    }

    /// The value without borrowed parts, as plain data. Objects and instants have no such form;
    /// the compiler lets none of them come here.
    pub fn into_json(self) -> Json {
        match self {
            Self::Absent | Self::Object(_) => Json::Null,
            Self::Bool(flag) => flag.into(),
            Self::Int(int) => int.into(),
            Self::Text(text) => text.into_owned().into(),
            Self::Time(time) => time.to_string().into(),
            Self::List(items) => items.into_iter().map(Self::into_json).collect(),
            Self::Pair(name, value) => serde_json::json!({"name": name, "value": value}),
            Self::Json(json) => json.into_owned(),
        }
    }

    /// Whether the value is this data.
    pub fn is(&self, json: &Json) -> bool {
        match self {
            Self::Absent => false,
            Self::Text(text) => json.as_str() == Some(text),
            Self::Json(own) => **own == *json,
            other => other.clone().into_json() == *json,
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> FromIterator<&'a str> for Value<'a> {
    fn from_iter<T: IntoIterator<Item = &'a str>>(texts: T) -> Self {
        Self::List(texts.into_iter().map(Self::from).collect())
    }
}

impl From<usize> for Value<'_> {
    fn from(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

/// Plain data is an object too: its entries are its parts.
impl Object for serde_json::Map<String, Json> {
    fn get(&self, name: &str) -> Value<'_> {
        serde_json::Map::get(self, name).map_or(Value::Absent, Value::data)
    }
}
