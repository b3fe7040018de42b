//! Values of placeholders, and the objects that provide them.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::field_type::{Field, FieldType, TableType};

/// Value of a placeholder.
#[derive(Clone)]
pub enum Value<'a> {
    /// No value.
    Absent,
    /// Boolean.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Text.
    Text(Cow<'a, str>),
    /// Point in time; a filter formats it.
    Time(Timestamp),
    /// List.
    List(Vec<Value<'a>>),
    /// Object of the model, which has no JSON form.
    Object(&'a dyn Object),
    /// Entry of a table: name and value.
    Pair(&'a str, &'a Json),
    /// Plain JSON.
    Json(Cow<'a, Json>),
}

/// An object with fields that a placeholder can name.
pub trait Object: Send + Sync {
    /// Returns the value of a field, or [`Value::Absent`].
    fn get(&self, name: &str) -> Value<'_>;
}

/// A field of a model object, with its type and its getter.
///
/// The same table of fields type-checks templates and provides their values, so the two cannot
/// disagree.
pub struct ObjectField<T: ?Sized> {
    /// Name.
    pub name: &'static str,
    /// Returns the type of the value.
    pub field_type: fn() -> FieldType,
    /// True if the value can be absent.
    pub optional: bool,
    /// Returns the value.
    pub get: for<'a> fn(&'a T) -> Value<'a>,
}

/// Declares a table of fields: `always name: type => getter;` or `maybe name: type => getter;`.
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

/// Returns the value of a field of an object, or `None` if the table has no such field.
pub fn field_value<'a, T: ?Sized>(
    fields: &[ObjectField<T>],
    object: &'a T,
    name: &str,
) -> Option<Value<'a>> {
    fields.iter().find(|field| field.name == name).map(|field| (field.get)(object))
}

/// Returns the type that a table of fields describes.
pub fn table_type<T: ?Sized>(about: &'static str, fields: &[ObjectField<T>]) -> TableType {
    let checked = |field: &ObjectField<T>| Field {
        name: field.name.to_owned(),
        field_type: (field.field_type)(),
        optional: field.optional,
    };
    TableType::new(about, fields.iter().map(checked).collect())
}

impl<'a> Value<'a> {
    /// Converts an optional text.
    pub fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::Absent, Self::from)
    }

    /// Converts an optional time.
    pub fn maybe_time(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Absent, Self::Time)
    }

    /// Converts an optional object.
    pub fn maybe_object<T: Object>(object: Option<&'a T>) -> Self {
        object.map_or(Self::Absent, |object| Self::Object(object))
    }

    /// Creates a list of objects.
    pub fn objects<T: Object + 'a>(objects: impl IntoIterator<Item = &'a T>) -> Self {
        Self::List(objects.into_iter().map(|object| Self::Object(object)).collect())
    }

    /// Borrows plain JSON.
    pub fn data(json: &'a Json) -> Self {
        Self::Json(Cow::Borrowed(json))
    }

    /// Returns true if there is no value.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Returns true if there is a value other than `null`.
    pub fn is_non_null(&self) -> bool {
        !self.is_absent() && !matches!(self, Self::Json(json) if json.is_null())
    }

    /// Returns the field with this name, or [`Value::Absent`].
    #[must_use]
    pub fn get(self, name: &str) -> Value<'a> {
        match self {
            Self::Object(object) => object.get(name),
            Self::Pair(key, _) if name == "name" => Self::Text(Cow::Borrowed(key)),
            Self::Pair(_, value) if name == "value" => Self::data(value),
            Self::Json(Cow::Borrowed(json)) => json.get(name).map_or(Self::Absent, Self::data),
            // `take` moves the field out of the owned value instead of copying it.
            Self::Json(Cow::Owned(mut json)) => json
                .get_mut(name)
                .map_or(Self::Absent, |field| Self::Json(Cow::Owned(field.take()))),
            _ => Self::Absent,
        }
    }

    /// Returns the elements of a list or the entries of a table.
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

    /// Converts to text for use inside a longer text.
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Json(Cow::Borrowed(Json::String(text))) => Cow::Borrowed(text),
            Self::Json(Cow::Owned(Json::String(text))) => Cow::Owned(text),
            other => Cow::Owned(other.into_json().to_string()),
        }
    }

    /// Converts to owned JSON.
    ///
    /// Objects and times have no JSON form; the compiler rejects templates that would write one.
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

    /// Returns true if the value equals this JSON.
    pub fn equals(&self, json: &Json) -> bool {
        match self {
            Self::Absent => false,
            Self::Text(text) => json.as_str() == Some(text),
            Self::Json(value) => **value == *json,
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

/// The entries of plain data are its fields.
impl Object for serde_json::Map<String, Json> {
    fn get(&self, name: &str) -> Value<'_> {
        serde_json::Map::get(self, name).map_or(Value::Absent, Value::data)
    }
}
