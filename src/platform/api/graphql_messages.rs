//! Errors of GraphQL requests in the words of GraphQL.js, the reference implementation, which most
//! vendors use.

use std::collections::BTreeSet;

use async_graphql::parser::Error as ParseError;
use async_graphql::{Pos, ServerError};
use serde_json::{Value as Json, json};

use super::graphql_schema::{SchemaFile, plain};
use super::graphql_secrets::{BLOCK_QUOTE, string_at_start};

/// A request that cannot be parsed.
pub(super) const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// A request that does not fit the schema.
pub(super) const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";

/// How the library begins its error for a name that is used twice.
const ONLY_ONE: &str = "There can only be one ";

/// The message for a query that exceeds the limits.
pub(super) const TOO_COMPLEX: &str = "Query is too complex.";

/// Returns an entry of `errors` without a path.
pub(super) fn request_error(message: &str, at: &[Pos], code: &str) -> Json {
    let mut error = json!({"message": message});
    if !at.is_empty() {
        let places = at.iter().map(|at| json!({"line": at.line, "column": at.column}));
        error["locations"] = places.collect();
    }
    error["extensions"] = json!({"code": code});
    error
}

/// Returns the entries of `errors` for a request that is not executed.
pub(super) fn validation_errors(file: &SchemaFile, errors: &[ServerError]) -> Vec<Json> {
    let mut known = BTreeSet::new();
    let own = errors.iter().filter(|error| known.insert(error.message.clone()));
    own.map(|error| {
        let message = in_other_words(file, &error.message);
        request_error(&message, &error.locations, VALIDATION_FAILED)
    })
    .collect()
}

/// Returns the message of GraphQL.js for one of the library.
fn in_other_words(file: &SchemaFile, message: &str) -> String {
    // Every second part is in quotes.
    let parts: Vec<&str> = message.split('"').collect();
    let message = message.strip_suffix('.').unwrap_or(message);
    match parts.as_slice() {
        ["Unknown field ", field, " on type ", owner, rest @ ..] => {
            let rest = rest.join("\"");
            format!("Cannot query field \"{field}\" on type \"{owner}\"{rest}")
        }
        ["Field ", field, " argument ", argument, " of type ", owner, ..] => {
            let known = file.argument(&format!("{owner}.{field}"), argument);
            let needed = known.map_or_else(String::new, |known| known.ty.node.to_string());
            format!(
                "Field \"{field}\" argument \"{argument}\" of type \"{needed}\" is required, but it \
                 was not provided."
            )
        }
        ["Field ", field, " of type ", found, " must have a selection of subfields"] => {
            let found = file.type_of(field, found);
            format!(
                "Field \"{field}\" of type \"{found}\" must have a selection of subfields. Did you \
                 mean \"{field} {{ ... }}\"?"
            )
        }
        ["Variable ", variable, " is not used by operation ", operation, ""] => {
            format!("Variable \"{variable}\" is never used in operation \"{operation}\".")
        }
        ["Variable ", variable, " is not used"] => {
            format!("Variable \"{variable}\" is never used.")
        }
        ["Unknown argument ", argument, " on field ", field, " of type ", owner, rest @ ..] => {
            let rest = rest.join("\"");
            format!("Unknown argument \"{argument}\" on field \"{owner}.{field}\"{rest}")
        }
        ["Unknown argument ", argument, " on directive ", directive, rest @ ..] => {
            let rest = rest.join("\"");
            format!("Unknown argument \"{argument}\" on directive \"@{directive}\"{rest}")
        }
        ["Directive ", directive, " argument ", argument, " of type ", needed, ..] => format!(
            "Directive \"{directive}\" argument \"{argument}\" of type \"{needed}\" is required, but \
             it was not provided."
        ),
        ["Unknown directive ", directive, ""] => format!("Unknown directive \"@{directive}\"."),
        ["Duplicate directive ", directive, ""] => {
            format!("The directive \"@{directive}\" can only be used once at this location.")
        }
        ["Fragment ", fragment, " cannot condition non composite type ", of, ""] => {
            format!("Fragment \"{fragment}\" cannot condition on non composite type \"{of}\".")
        }
        ["Fragment cannot condition non composite type ", of, ""] => {
            format!("Fragment cannot condition on non composite type \"{of}\".")
        }
        [what, ..] if what.starts_with(ONLY_ONE) => {
            format!("There can be only one {}.", &message[ONLY_ONE.len()..])
        }
        ["Variable ", variable, " cannot be of non-input type ", of, ""] => {
            let variable = variable.trim_start_matches('$');
            format!("Variable \"${variable}\" cannot be non-input type \"{of}\".")
        }
        ["Variable ", variable, " of type ", rest @ ..] => {
            let (variable, rest) = (variable.trim_start_matches('$'), rest.join("\""));
            format!("Variable \"${variable}\" of type \"{rest}.")
        }
        ["Unknown fragment: ", fragment, ""] => format!("Unknown fragment \"{fragment}\"."),
        ["Operation name required in request."] => {
            "Must provide operation name if query contains multiple operations.".to_owned()
        }
        ["Schema is not configured for subscriptions."] => {
            "Subscriptions are not supported here. The vendor serves them over WebSocket only."
                .to_owned()
        }
        _ if message.ends_with('?') => message.to_owned(),
        _ => format!("{message}."),
    }
}

/// Returns the entry of `errors` for a query that the parser refuses.
pub(super) fn parse_error(query: &str, error: &ParseError) -> Json {
    let (message, code) = match error {
        ParseError::Syntax { message, start, .. } => (syntax(query, message, *start), PARSE_FAILED),
        ParseError::MultipleOperations { .. } => {
            let message = "This anonymous operation must be the only defined operation.";
            (message.to_owned(), VALIDATION_FAILED)
        }
        ParseError::OperationDuplicated { operation, .. } => {
            let message = format!("There can be only one operation named \"{operation}\".");
            (message, VALIDATION_FAILED)
        }
        ParseError::FragmentDuplicated { fragment, .. } => {
            let message = format!("There can be only one fragment named \"{fragment}\".");
            (message, VALIDATION_FAILED)
        }
        ParseError::MissingOperation => {
            ("Must provide an operation.".to_owned(), VALIDATION_FAILED)
        }
        ParseError::RecursionLimitExceeded => (TOO_COMPLEX.to_owned(), VALIDATION_FAILED),
        other => (format!("Syntax Error: {}.", plain(&other.to_string())), PARSE_FAILED),
    };
    let places: Vec<Pos> = error.positions().collect();
    request_error(&message, &places, code)
}

/// Describes a syntax error by what is found where it is. GraphQL.js also names the punctuator that is
/// missing there, which the parser of the library does not say.
fn syntax(query: &str, message: &str, at: Pos) -> String {
    let found = token_at(query, at);
    let expected = plain(message);
    let names = ["name", "selection", "field", "argument", "type_condition"];
    let needs_name = expected
        .strip_prefix("expected ")
        .is_some_and(|words| words.split([',', ' ']).any(|word| names.contains(&word)));
    let problem = if needs_name { "Expected Name, found" } else { "Unexpected" };
    format!("Syntax Error: {problem} {found}.")
}

/// Returns the token at a place as GraphQL.js describes it.
fn token_at(query: &str, at: Pos) -> String {
    let line = query.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    let start = line.char_indices().nth(at.column.saturating_sub(1)).map(|(start, _)| start);
    // The parser can stop before the whitespace and the lines in front of the token.
    let later = query.lines().skip(at.line).map(str::trim);
    let rest = start.map_or("", |start| line[start..].trim());
    let ignored = |text: &&str| !text.is_empty() && !text.starts_with('#');
    let Some(rest) = [rest].into_iter().chain(later).find(ignored) else {
        return "<EOF>".to_owned();
    };
    let word: String =
        rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
    match rest.chars().next() {
        Some('0'..='9' | '-') => {
            let end = rest.find(|char: char| !char.is_alphanumeric() && !"+-.".contains(char));
            let number = &rest[..end.unwrap_or(rest.len())];
            let kind = if number.contains(['.', 'e', 'E']) { "Float" } else { "Int" };
            format!("{kind} \"{number}\"")
        }
        Some('"') => {
            let kind = if rest.starts_with(BLOCK_QUOTE) { "BlockString" } else { "String" };
            format!("{kind} \"{}\"", string_at_start(rest).unwrap_or_default())
        }
        Some('.') => "\"...\"".to_owned(),
        Some(_) if !word.is_empty() => format!("Name \"{word}\""),
        char => format!("\"{}\"", char.map(String::from).unwrap_or_default()),
    }
}
