//! How fields of a GraphQL query get their values.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_graphql::dynamic::{FieldFuture, FieldValue, ResolverContext, ValueAccessor};
use async_graphql::{Name, QueryPathNode, Value};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value as Json, json};

/// A field that an operation resolves.
#[derive(Clone, Debug)]
pub struct FieldCall {
    /// Type and name, such as `Mutation.addOrder`.
    pub field: Arc<str>,
    /// Its arguments, those with a default included.
    pub arguments: Json,
    /// The object of which it is a field; null for fields of `Query` and `Mutation`.
    pub parent: Json,
}

/// Resolves the fields that operations are. The error is the message for the client.
pub trait FieldResolver: Send + Sync {
    /// Resolves a field.
    fn resolve(&self, call: FieldCall) -> BoxFuture<'_, Result<Json, String>>;
}

/// What the fields of a request share.
pub(super) struct RequestFields {
    pub(super) resolver: Arc<dyn FieldResolver>,
    /// Code of errors of fields.
    pub(super) code: String,
    /// Names of the variables that have a value.
    pub(super) variables: BTreeSet<String>,
    /// Entries of `errors`, as fields fail.
    pub(super) errors: Arc<Mutex<Vec<Json>>>,
}

/// How a field gets its value.
#[derive(Clone)]
pub(super) struct FieldResolution {
    /// Type and name.
    pub(super) key: Arc<str>,
    pub(super) name: Arc<str>,
    /// Whether an operation resolves it.
    pub(super) is_operation: bool,
    /// Whether its values are objects, of which a query selects fields.
    pub(super) is_composite: bool,
    /// Whether it cannot be null.
    pub(super) is_required: bool,
    /// Its arguments that are lists.
    pub(super) lists: Arc<[String]>,
}

/// Returns the value of a field. An error becomes an entry of `errors`, and the field is null.
pub(super) fn field_future(
    field: FieldResolution,
    context: ResolverContext<'_>,
) -> FieldFuture<'_> {
    FieldFuture::new(async move {
        let parent = context.parent_value.downcast_ref::<Json>();
        let request = context.data::<RequestFields>()?;
        let fail = |message: &str| {
            let error = field_error(&context, message, &request.code);
            if let Ok(mut errors) = request.errors.lock() {
                errors.push(error);
            }
        };
        let found = |value: Json| {
            let value = field_value(value, field.is_composite);
            if value.is_none() && field.is_required {
                fail(&format!("Cannot return null for non-nullable field {}.", field.key));
            }
            value
        };
        if !field.is_operation {
            let value = parent.and_then(|parent| parent.get(&*field.name)).cloned();
            return Ok(found(value.unwrap_or_default()));
        }
        let call = FieldCall {
            field: Arc::clone(&field.key),
            arguments: Json::Object(arguments(&field, &context, &request.variables)),
            parent: parent.cloned().unwrap_or_default(),
        };
        match request.resolver.resolve(call).await {
            Ok(value) => Ok(found(value)),
            Err(message) => {
                fail(&message);
                Ok(None)
            }
        }
    })
}

/// Returns the arguments of a field. One whose variable has no value is omitted, and a single value stands
/// for a list of it.
fn arguments(
    field: &FieldResolution,
    context: &ResolverContext<'_>,
    variables: &BTreeSet<String>,
) -> Map<String, Json> {
    let has_value = |name: &str| {
        let mut written = context.item.node.arguments.iter();
        let written = written.find(|(known, _)| known.node == name);
        // Only a variable is written with a dollar sign.
        let written = written.map(|(_, value)| value.node.to_string()).unwrap_or_default();
        written.strip_prefix('$').is_none_or(|variable| variables.contains(variable))
    };
    let argument = |(name, value): (&Name, ValueAccessor<'_>)| {
        let json = value.as_value().clone().into_json().ok()?;
        let is_single = !json.is_array() && !json.is_null();
        let is_list = field.lists.iter().any(|list| list == name.as_str());
        let json = if is_list && is_single { Json::Array(vec![json]) } else { json };
        has_value(name).then(|| (name.to_string(), json))
    };
    context.args.iter().filter_map(argument).collect()
}

/// Returns the entry of `errors` of a field.
fn field_error(context: &ResolverContext<'_>, message: &str, code: &str) -> Json {
    let path = context.path_node.map(QueryPathNode::to_string_vec).unwrap_or_default();
    // A name cannot begin with a digit.
    let segment = |text: String| text.parse::<u64>().map_or_else(|_| text.into(), Json::from);
    let path: Vec<Json> = path.into_iter().map(segment).collect();
    let at = context.item.pos;
    json!({
        "message": message,
        "locations": [{"line": at.line, "column": at.column}],
        "path": path,
        "extensions": {"code": code},
    })
}

/// Returns the value of a field. Of objects, the query selects fields.
fn field_value(json: Json, is_composite: bool) -> Option<FieldValue<'static>> {
    match json {
        Json::Null => None,
        Json::Array(items) if is_composite => {
            let item = |item| field_value(item, true).unwrap_or(FieldValue::NULL);
            Some(FieldValue::list(items.into_iter().map(item)))
        }
        json if is_composite => Some(FieldValue::owned_any(json)),
        json => Some(FieldValue::value(leaf(json))),
    }
}

/// Returns JSON as a value that is sent as it is, whatever the names of its keys are.
fn leaf(json: Json) -> Value {
    match json {
        Json::Array(items) => Value::List(items.into_iter().map(leaf).collect()),
        Json::Object(entries) => {
            let entry = |(name, value): (String, Json)| (Name::new(name), leaf(value));
            Value::Object(entries.into_iter().map(entry).collect())
        }
        json => Value::from_json(json).unwrap_or_default(),
    }
}
