//! Values of variables: from outside of the file, and from the rows of a table.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use url::Url;

use crate::diag::scalar::unexpected_type;
use crate::diag::{Key, Problem, Problems, SourceSpan, SyntaxNode, code};
use crate::template::FieldType;

/// Values for variables from outside of the file, and what the file may reach.
#[derive(Clone, Debug, Default)]
pub struct VariableInputs {
    /// Values by variable, which replace the defaults.
    pub values: BTreeMap<String, VariableText>,
    /// The environment variables that a file may read, with their values; `None` if one is not set.
    pub environment: BTreeMap<String, Option<String>>,
    /// The origins to which a file may send requests, beside that of the receiver.
    pub origins: Vec<Url>,
}

/// A value of a variable from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableText {
    /// The value.
    pub text: String,
    /// Where it comes from, such as `--set order`.
    pub origin: String,
}

impl VariableText {
    pub(super) fn is_of_command_line(&self) -> bool {
        self.origin.starts_with("--")
    }
}

/// Values of the variables for one run.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Name of the row in reports.
    pub(super) label: String,
    pub(super) span: SourceSpan,
    pub(super) values: Vec<(Key, SyntaxNode)>,
    /// Whether the values have types. Those of a CSV file are texts.
    pub(super) is_typed: bool,
}

impl Row {
    pub(super) fn get(&self, name: &str) -> Option<&SyntaxNode> {
        self.values.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The value of a variable in this row, if it has the type of the default.
    pub(super) fn value(
        &self,
        node: &SyntaxNode,
        default: &SyntaxNode,
        problems: &mut Problems,
    ) -> Option<Json> {
        let (value, default) = (node.to_json(), default.to_json());
        if let (false, Json::String(text)) = (self.is_typed, &value) {
            return typed(text, &default)
                .map_err(|expected| {
                    let message = format!("expected {expected}, found `{text}`");
                    let problem = Problem::at(&node.span, code::INVALID_VARIABLE, message);
                    problems.push(problem.help("the default in `[vars]` determines the type"));
                })
                .ok();
        }
        if FieldType::of_json(&value) == FieldType::of_json(&default) {
            return Some(value);
        }
        let problem = unexpected_type(node, FieldType::of_json(&default).about());
        problems.push(problem.help("the default in `[vars]` determines the type"));
        None
    }
}

/// Gives a text the type of the default, or returns what is expected.
pub(super) fn typed(text: &str, default: &Json) -> Result<Json, &'static str> {
    match default {
        Json::String(_) => Ok(text.into()),
        Json::Bool(_) => text.parse().map(Json::Bool).map_err(|_| "`true` or `false`"),
        Json::Number(number) if number.is_i64() => {
            text.parse::<i64>().map(Json::from).map_err(|_| "an integer")
        }
        Json::Number(_) => serde_json::from_str::<serde_json::Number>(text)
            .map(Json::Number)
            .map_err(|_| "a number"),
        Json::Null | Json::Array(_) | Json::Object(_) => {
            Err("set in the file: only texts, numbers and booleans come from outside")
        }
    }
}
