//! An operation as the file has it.

use jiff::SignedDuration;

use super::forms::{
    ActForm, BodyProtocol, ErrorForm, ExampleForm, FindForm, Gather, ListForm, OperationForm,
    ReplyForm, RouteForm, WarnForm,
};
use crate::diag::{OneOrMore, SourceSpan, Spanned, SyntaxNode, TableOf};
use crate::platform::pointer::Pointer;
use crate::platform::source_form::SourceForm;

/// An operation with the keys of its route, as the file has them.
pub(super) struct OperationSource<'f> {
    pub(super) span: &'f SourceSpan,
    pub(super) name: &'f str,
    pub(super) call: Option<&'f Spanned<String>>,
    pub(super) field: Option<&'f Spanned<String>>,
    pub(super) split: Option<&'f Spanned<String>>,
    pub(super) over: Option<&'f ListForm>,
    pub(super) gather: Option<&'f Spanned<Gather>>,
    pub(super) auth: &'f [OneOrMore<Spanned<String>>],
    pub(super) matches: Option<&'f TableOf<SyntaxNode>>,
    pub(super) fields: Option<&'f TableOf<SyntaxNode>>,
    pub(super) find: Vec<&'f FindForm>,
    pub(super) list: Option<&'f ListForm>,
    pub(super) act: &'f [ActForm],
    pub(super) settle: Option<&'f Spanned<SignedDuration>>,
    /// Whether it is performed for each element of a list.
    pub(super) is_repeated: bool,
    pub(super) reply: Option<&'f ReplyForm>,
    pub(super) errors: Vec<&'f ErrorForm>,
    pub(super) warn: Vec<&'f WarnForm>,
    pub(super) ignores: Vec<&'f Spanned<Pointer>>,
    pub(super) secret: Vec<&'f Spanned<String>>,
    pub(super) example: Option<&'f ExampleForm>,
    pub(super) source: Option<&'f SourceForm>,
}

impl<'f> OperationSource<'f> {
    /// Returns the operation that a route without `[[operation]]` is.
    pub(super) fn of_route(route: &'f RouteForm) -> Self {
        Self {
            span: &route.span,
            name: &route.name.value,
            call: route.call.as_ref(),
            field: None,
            split: None,
            over: None,
            gather: None,
            auth: &[],
            matches: None,
            fields: None,
            find: route.find.iter().collect(),
            list: route.list.as_ref(),
            act: &route.act,
            settle: route.settle.as_ref(),
            is_repeated: route.body.value == BodyProtocol::JsonBatch,
            reply: route.reply.as_ref(),
            errors: route.error.iter().collect(),
            warn: route.warn.iter().collect(),
            ignores: route.ignores.iter().collect(),
            secret: route.secret.iter().collect(),
            example: route.example.as_ref(),
            source: route.source.as_ref(),
        }
    }

    /// Returns an operation of this route.
    pub(super) fn new(route: &'f RouteForm, operation: &'f OperationForm) -> Self {
        Self {
            span: &operation.span,
            name: &operation.name.value,
            call: operation.call.as_ref(),
            field: operation.field.as_ref(),
            split: operation.split.as_ref(),
            over: operation.over.as_ref(),
            gather: operation.gather.as_ref(),
            auth: &operation.auth,
            matches: Some(&operation.matches),
            fields: Some(&operation.fields),
            find: route.find.iter().chain(&operation.find).collect(),
            list: operation.list.as_ref().or(route.list.as_ref()),
            act: &operation.act,
            settle: operation.settle.as_ref().or(route.settle.as_ref()),
            is_repeated: route.body.value == BodyProtocol::JsonBatch || operation.split.is_some(),
            reply: operation.reply.as_ref().or(route.reply.as_ref()),
            errors: operation.error.iter().chain(&route.error).collect(),
            warn: route.warn.iter().chain(&operation.warn).collect(),
            ignores: route.ignores.iter().chain(&operation.ignores).collect(),
            secret: route.secret.iter().chain(&operation.secret).collect(),
            example: operation.example.as_ref(),
            source: operation.source.as_ref().or(route.source.as_ref()),
        }
    }
}
