//! The types of the roots that templates of the API can use.

use crate::platform::root_types::RootTypes;
use crate::template::{Field, FieldType, TableType};

/// Returns the roots that every call has: those of the account, and `call`. `parameters` are those
/// of the path; `None` accepts any.
pub(super) fn of_call(types: &RootTypes, parameters: Option<&[Field]>) -> TableType {
    let path = match parameters {
        Some(fields) => FieldType::table(TableType::new("the path", fields.to_vec())),
        None => FieldType::open_table(),
    };
    let call = TableType::new("the call", Vec::new())
        .always("method", FieldType::Text)
        .always("target", FieldType::Text)
        .always("path", path)
        .always("query", FieldType::open_table())
        .always("header", FieldType::open_table())
        .always("body", FieldType::Any)
        .always("size", FieldType::Int)
        .always("number", FieldType::Int)
        .always("at", FieldType::Time)
        .always("received_at", FieldType::Time);
    types.base.clone().always("call", FieldType::table(call))
}

/// Adds `field` with these fields.
pub(super) fn with_fields(roots: TableType, fields: &[Field]) -> TableType {
    let fields = TableType { writable: false, ..TableType::new("the fields", fields.to_vec()) };
    roots.always("field", FieldType::table(fields))
}

/// Adds `conversation` and `visitor`.
pub(super) fn with_conversation(types: &RootTypes, roots: TableType) -> TableType {
    roots
        .always("conversation", FieldType::table(types.conversation.clone()))
        .always("visitor", FieldType::table(types.visitor.clone()))
}

/// Adds `error`.
pub(super) fn with_error(roots: TableType) -> TableType {
    let error = TableType::new("the error", Vec::new())
        .always("condition", FieldType::Text)
        .always("message", FieldType::Text);
    roots.always("error", FieldType::table(error))
}

/// Adds `subscription`.
pub(super) fn with_subscription(roots: TableType) -> TableType {
    let subscription =
        TableType::new("a subscription", Vec::new()).always("number", FieldType::Int);
    roots.always("subscription", FieldType::table(subscription))
}
