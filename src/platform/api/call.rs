//! A call: one request of the receiver to the vendor's API.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::conversation::GeneratedIds;
use crate::template::{Object, Value};

/// A call as it arrived.
#[derive(Clone, Debug)]
pub struct ApiCall {
    /// HTTP method.
    pub method: String,
    /// Path, with its percent-encoding.
    pub path: String,
    /// Query without `?`; empty if the URL has no query.
    pub query: String,
    /// URL of the API as the client addresses it, without a path.
    pub base: String,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: CallBody,
    /// Wall time of arrival.
    pub received_at: Timestamp,
}

/// The body of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallBody {
    /// All of it.
    Whole(Vec<u8>),
    /// It exceeds the limit and was not read.
    TooLarge,
    /// Its end did not arrive.
    Incomplete,
}

impl ApiCall {
    /// Returns the value of a header, in any case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the parameters of the query, decoded.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// Returns the size of the body in bytes.
    pub fn size(&self) -> usize {
        match &self.body {
            CallBody::Whole(bytes) => bytes.len(),
            CallBody::TooLarge | CallBody::Incomplete => 0,
        }
    }
}

/// What templates see of a call: the root `call`.
#[derive(Clone, Debug)]
pub struct CallContent {
    values: Map<String, Json>,
    at: Timestamp,
    received_at: Timestamp,
}

impl CallContent {
    /// Creates the content of a call that is handled at this run time. `number` counts the calls of
    /// the account.
    pub fn new(call: &ApiCall, path: &[(String, String)], number: u64, at: Timestamp) -> Self {
        let texts = |pairs: &mut dyn Iterator<Item = (String, String)>| -> Json {
            Json::Object(pairs.map(|(name, value)| (name, value.into())).collect())
        };
        let headers = call.headers.iter();
        let mut headers = headers.map(|(name, value)| (name.to_lowercase(), value.clone()));
        let values = [
            ("method", call.method.as_str().into()),
            ("target", call.path.as_str().into()),
            ("path", texts(&mut path.iter().cloned())),
            ("base", call.base.as_str().into()),
            ("query", texts(&mut call.query_pairs().into_iter())),
            ("header", texts(&mut headers)),
            ("body", Json::Null),
            ("params", Json::Object(Map::new())),
            ("batch", Json::Null),
            ("parent", Json::Null),
            ("size", call.size().into()),
            ("number", number.into()),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { values, at, received_at: call.received_at }
    }

    /// Sets the ids of the call.
    pub fn set_ids(&mut self, ids: GeneratedIds) {
        self.values.extend(ids.into_entries());
    }

    /// Sets the parsed body.
    pub fn set_body(&mut self, body: Json) {
        self.values.insert("body".into(), body);
    }

    /// Sets the parameters of the query and the body together.
    pub fn set_params(&mut self, params: Map<String, Json>) {
        self.values.insert("params".into(), Json::Object(params));
    }

    /// Sets the object of which the call is a field.
    pub fn set_parent(&mut self, parent: Json) {
        self.values.insert("parent".into(), parent);
    }

    /// Sets the list of which the body is an element, and its number in the account.
    pub fn set_batch(&mut self, batch: Json, number: u64) {
        self.values.insert("batch".into(), batch);
        self.values.insert("number".into(), number.into());
    }

    /// Returns the parameters of the path, decoded.
    pub fn path(&self) -> Vec<(String, String)> {
        let path = self.values.get("path").and_then(Json::as_object).into_iter().flatten();
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        path.map(|(name, value)| (name.clone(), text(value))).collect()
    }

    /// Returns the parsed body, or null.
    pub fn body(&self) -> &Json {
        self.values.get("body").unwrap_or(&Json::Null)
    }
}

impl Object for CallContent {
    fn get(&self, name: &str) -> Value<'_> {
        match name {
            "at" => Value::Time(self.at),
            "received_at" => Value::Time(self.received_at),
            _ => self.values.get(name).map_or(Value::Absent, Value::data),
        }
    }
}
