//! Checks the GraphQL API of a vendor: its schema file, and the operations that resolve its fields.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_graphql::Pos;

use super::forms::{BodyProtocol, GraphqlForm, OperationForm};
use super::graphql::GraphqlApi;
use super::graphql_schema::{QUERY, SchemaFile, SchemaMistake};
use super::rules::ApiRules;
use crate::diag::{Problem, Problems, SourceSpan, Spanned, code};
use crate::platform::forms::VendorForm;
use crate::platform::request_check::Templates;

/// Code of errors of fields by default.
const CODE: &str = "INTERNAL_SERVER_ERROR";

/// Checks the GraphQL API, and adds it to the rules.
pub(super) fn check_graphql(
    form: &VendorForm,
    templates: &Templates,
    rules: &mut ApiRules,
    problems: &mut Problems,
) {
    let before = problems.len();
    check_places(form, problems);
    let Some(graphql) = form.api.as_ref().and_then(|api| api.graphql.as_ref()) else {
        let fields = form.operation.iter().filter_map(|operation| operation.field.as_ref());
        for field in fields {
            let message = "the API has no GraphQL schema";
            let problem = Problem::at(&field.span, code::INVALID_ROUTE, message);
            problems.push(
                problem.help("add `graphql = { schema = [\"api/schema.graphql\"] }` to `[api]`"),
            );
        }
        return;
    };
    let Some(file) = read(&graphql.schema, templates, problems) else { return };
    if !file.has_queries() {
        let message = format!("the schema has no type `{QUERY}`");
        return problems.push(Problem::at(&graphql.span, code::INVALID_ROUTE, message));
    }
    let fields = check_fields(form, &file, graphql, problems);
    if problems.len() > before {
        return;
    }
    add_queries(rules, &file);
    let error_code = graphql.code.as_ref().map_or(CODE, |code| &code.value).to_owned();
    match GraphqlApi::new(file, error_code, fields) {
        Ok(api) => rules.graphql = Some(Arc::new(api)),
        Err(message) => {
            problems.push(Problem::at(&graphql.span, code::INVALID_ROUTE, message));
        }
    }
}

/// Reports operations with a field at other routes, and those without one at a route of GraphQL.
fn check_places(form: &VendorForm, problems: &mut Problems) {
    for operation in &form.operation {
        let route = form.route.iter().find(|route| route.name.value == operation.route.value);
        let Some(route) = route else { continue };
        let is_graphql = route.body.value == BodyProtocol::Graphql;
        match &operation.field {
            None if is_graphql => {
                let message = format!("the operation `{}` has no `field`", operation.name.value);
                let problem = Problem::at(&operation.span, code::MISSING_KEY, message);
                problems
                    .push(problem.help("write the field that it resolves: `Mutation.addOrder`"));
            }
            Some(field) if !is_graphql => {
                let message = format!("the route `{}` has no fields", route.name.value);
                let problem = Problem::at(&field.span, code::CONTRADICTION, message);
                problems.push(problem.help("remove `field`, or set `body = \"graphql\"` there"));
            }
            _ => {}
        }
    }
}

/// Reads the schema files.
fn read(
    names: &[Spanned<String>],
    templates: &Templates,
    problems: &mut Problems,
) -> Option<SchemaFile> {
    let before = problems.len();
    let mut file = SchemaFile::default();
    for name in names {
        let node = templates.get(&name.value);
        let Some((node, text)) = node.and_then(|node| Some((node, node.as_text()?))) else {
            let message = format!("unknown file `{}`", name.value);
            let problem = Problem::at(&name.span, code::UNKNOWN_TEMPLATE, message);
            problems.push(
                problem.help("the path is relative to the vendor's folder: `api/schema.graphql`"),
            );
            continue;
        };
        if let Err(SchemaMistake { message, at }) = file.add(text) {
            let span = at.map_or_else(|| node.span.clone(), |at| place(&node.span, at));
            problems.push(Problem::at(&span, code::INVALID_ROUTE, message));
        }
    }
    (problems.len() == before).then_some(file)
}

/// Returns the place of a position in a file.
fn place(file: &SourceSpan, at: Pos) -> SourceSpan {
    let text = &file.source.text;
    let start: usize =
        text.split_inclusive('\n').take(at.line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let before: usize = rest.chars().take(at.column.saturating_sub(1)).map(char::len_utf8).sum();
    let at = (start + before).min(text.len());
    let length = text[at..].chars().next().map_or(0, char::len_utf8);
    file.source.span(at..at + length)
}

/// Checks the fields of operations. Returns them.
fn check_fields(
    form: &VendorForm,
    file: &SchemaFile,
    graphql: &GraphqlForm,
    problems: &mut Problems,
) -> BTreeSet<String> {
    let fields = form.operation.iter().filter_map(|operation| operation.field.as_ref());
    for field in fields.clone().filter(|field| !file.has_field(&field.value)) {
        let message = format!("the schema has no field `{}`", field.value);
        let problem = Problem::at(&field.span, code::INVALID_ROUTE, message);
        problems.push(match file.nearest_field(&field.value) {
            Some(nearest) => problem.help(format!("did you mean `{nearest}`?")),
            None => problem.help("write type and field: `Mutation.addOrder`"),
        });
    }
    let fields: BTreeSet<String> = fields.map(|field| field.value.clone()).collect();
    let without: Vec<String> =
        file.root_fields().into_iter().filter(|field| !fields.contains(field)).collect();
    if !without.is_empty() {
        let message = format!("no operation resolves {}", without.join(", "));
        let problem = Problem::at(&graphql.span, code::INVALID_ROUTE, message);
        problems
            .push(problem.help("add an `[[operation]]` with this `field`, or remove the field"));
    }
    for operation in &form.operation {
        check_arguments(operation, file, problems);
    }
    fields
}

/// Reports arguments of an example that the field does not have.
fn check_arguments(operation: &OperationForm, file: &SchemaFile, problems: &mut Problems) {
    let Some((field, example)) = operation.field.as_ref().zip(operation.example.as_ref()) else {
        return;
    };
    for (key, _) in example.args.iter() {
        if file.has_field(&field.value) && file.argument(&field.value, &key.name).is_none() {
            let message = format!("the field `{}` has no argument `{}`", field.value, key.name);
            problems.push(Problem::at(&key.span, code::UNKNOWN_KEY, message));
        }
    }
}

/// Adds the queries of the examples.
fn add_queries(rules: &mut ApiRules, file: &SchemaFile) {
    for route in &mut rules.routes {
        for operation in &mut Arc::make_mut(route).operations {
            let operation = Arc::make_mut(operation);
            if let Some((field, example)) = operation.field.as_ref().zip(operation.example.as_mut())
            {
                example.query_text = file.query(field, &example.arguments);
            }
        }
    }
}
