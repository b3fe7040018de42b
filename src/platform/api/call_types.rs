//! The types of the roots that templates of the API can use.

use super::find::file_table;
use crate::platform::root_types::RootTypes;
use crate::template::{Field, FieldType, TableType};

/// Returns the roots that every call has: those of the account, and `call`. `parameters` are those
/// of the path; `None` accepts any.
pub(super) fn of_call(types: &RootTypes, parameters: Option<&[Field]>) -> TableType {
    let path = match parameters {
        Some(fields) => FieldType::table(TableType::new("the path", fields.to_vec())),
        None => FieldType::open_table(),
    };
    let call = TableType::new("the call", types.call_ids.clone())
        .always("method", FieldType::Text)
        .always("target", FieldType::Text)
        .always("path", path)
        .always("query", FieldType::open_table())
        .always("header", FieldType::open_table())
        .always("body", FieldType::Any)
        .always("params", FieldType::open_table())
        .always("batch", FieldType::Any)
        .always("parent", FieldType::Any)
        .always("size", FieldType::Int)
        .always("number", FieldType::Int)
        .always("base", FieldType::Text)
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

/// Adds `conversation` and `visitor` as what a call may lack.
pub(super) fn with_possible_conversation(types: &RootTypes, mut roots: TableType) -> TableType {
    let possible =
        [("conversation", types.conversation.clone()), ("visitor", types.visitor.clone())];
    for (name, table) in possible {
        if roots.get(name).is_none() {
            roots.set(Field::maybe(name, FieldType::table(table)));
        }
    }
    roots
}

/// Adds `revision`, the number of changes of each kind of documents.
pub(super) fn with_revision<'a>(
    roots: TableType,
    kinds: impl Iterator<Item = &'a String>,
) -> TableType {
    let fields: Vec<Field> = kinds.map(|kind| Field::always(kind, FieldType::Int)).collect();
    if fields.is_empty() {
        return roots;
    }
    roots.always("revision", FieldType::table(TableType::new("the revisions", fields)))
}

/// Adds `link` and its `file`.
pub(super) fn with_link(roots: TableType) -> TableType {
    let link = TableType::new("a link", Vec::new())
        .always("signature", FieldType::Text)
        .always("expires_at", FieldType::Time);
    roots.always("link", FieldType::table(link)).always("file", FieldType::table(file_table()))
}

/// Adds `event`, the last event that the call causes.
pub(super) fn with_event(roots: TableType) -> TableType {
    let event = TableType::new("the event", Vec::new()).maybe("number", FieldType::Int);
    roots.always("event", FieldType::table(event))
}

/// Adds `settled`, what followed in the conversation.
pub(super) fn with_settled(types: &RootTypes, roots: TableType) -> TableType {
    let message = FieldType::table(types.message.clone());
    let settled =
        TableType::new("what followed", Vec::new()).always("messages", FieldType::list(message));
    roots.always("settled", FieldType::table(settled))
}

/// Adds `auth`, with the claims of these credentials.
pub(super) fn with_auth<'a>(
    roots: TableType,
    credentials: impl Iterator<Item = &'a str>,
) -> TableType {
    let fields = credentials.map(|name| Field::maybe(name, FieldType::open_table())).collect();
    roots.always("auth", FieldType::table(TableType::new("the credentials", fields)))
}

/// Adds `issued`, the token of a credential with or without a limited life.
pub(super) fn with_issued(roots: TableType, is_limited: bool) -> TableType {
    let field =
        |name: &str, field_type| Field { name: name.to_owned(), field_type, optional: !is_limited };
    let fields = vec![
        Field::always("token", FieldType::Text),
        field("expires_in", FieldType::Int),
        field("expires_at", FieldType::Time),
    ];
    roots.always("issued", FieldType::table(TableType::new("a token", fields)))
}

/// Adds `handshake`, the result of the vendor's test of the URL that the call subscribes.
pub(super) fn with_handshake(roots: TableType) -> TableType {
    let handshake = TableType::new("a handshake", Vec::new()).always("passed", FieldType::Bool);
    let mut roots = roots;
    roots.set(Field::maybe("handshake", FieldType::table(handshake)));
    roots
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
