//! Scalar values of a file: strings, booleans, integers and durations.

use jiff::SignedDuration;
use serde_json::{Value as Json, json};

use crate::base::duration::{self, DurationRange};
use crate::base::text::one_of;
use crate::diag::code;
use crate::diag::node::{NodeContent, SyntaxNode};
use crate::diag::problem::Problem;

/// A type that is read from a single value: a string, a number or a boolean.
pub trait Scalar: Sized {
    /// Reads the value of a node.
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem>;

    /// Returns the JSON Schema of the type.
    fn schema() -> Json;

    /// Guesses the intended value of a node that [`Scalar::parse_node`] rejects. The rest of the
    /// file can then still be checked.
    fn parse_lenient(_node: &SyntaxNode) -> Option<Self> {
        None
    }
}

impl Scalar for String {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        if let Some(text) = node.as_text() {
            return Ok(text.to_owned());
        }
        let problem = unexpected_type(node, "a string");
        Err(match node.content {
            NodeContent::Bool(_) | NodeContent::Int(_) | NodeContent::Number(_) => {
                problem.help(format!("put it in quotes: `\"{}\"`", node.span.text()))
            }
            _ => problem,
        })
    }

    fn schema() -> Json {
        json!({"type": "string"})
    }

    fn parse_lenient(node: &SyntaxNode) -> Option<Self> {
        // `5` was most likely meant as `"5"`. A list or a table has no such reading.
        let is_plain = matches!(
            node.content,
            NodeContent::Bool(_) | NodeContent::Int(_) | NodeContent::Number(_)
        );
        is_plain.then(|| node.span.text().to_owned())
    }
}

impl Scalar for bool {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        match node.content {
            NodeContent::Bool(flag) => Ok(flag),
            _ => Err(unquoted(node, unexpected_type(node, "a boolean"), &["true", "false"])),
        }
    }

    fn schema() -> Json {
        json!({"type": "boolean"})
    }

    fn parse_lenient(_: &SyntaxNode) -> Option<Self> {
        Some(false)
    }
}

impl Scalar for i64 {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        match node.content {
            NodeContent::Int(int) => Ok(int),
            _ => Err(unquoted(node, unexpected_type(node, "an integer"), &[])),
        }
    }

    fn schema() -> Json {
        json!({"type": "integer"})
    }
}

// TOML integers are signed, so half of the range cannot be written. Seeds do not need it.
impl Scalar for u64 {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        match node.content {
            NodeContent::Int(int) if int >= 0 => Ok(int.unsigned_abs()),
            NodeContent::Int(int) => {
                let message = format!("expected an integer of at least 0, found {int}");
                Err(Problem::at(&node.span, code::INVALID_TYPE, message))
            }
            _ => Err(unquoted(node, unexpected_type(node, "an integer of at least 0"), &[])),
        }
    }

    fn schema() -> Json {
        json!({"type": "integer", "minimum": 0})
    }
}

impl Scalar for DurationRange {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        duration_from(node, DurationRange::parse)
    }

    fn schema() -> Json {
        json!({
            "type": "string",
            "pattern": duration::RANGE_PATTERN,
            "examples": ["250ms", "1s..3s"],
        })
    }

    fn parse_lenient(_: &SyntaxNode) -> Option<Self> {
        // Any valid duration will do: the value is not used, only checked further.
        DurationRange::parse("1s").ok()
    }
}

impl Scalar for SignedDuration {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        duration_from(node, duration::parse)
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": duration::PATTERN, "examples": ["250ms", "2s", "1m 30s"]})
    }

    fn parse_lenient(_: &SyntaxNode) -> Option<Self> {
        Some(Self::from_secs(1))
    }
}

fn duration_from<T>(node: &SyntaxNode, parse: fn(&str) -> Result<T, String>) -> Result<T, Problem> {
    let problem = |message| Problem::at(&node.span, code::INVALID_DURATION, message);
    let Some(text) = node.as_text() else {
        let problem = problem(format!("expected a duration, found {}", node.kind()));
        let help = match node.content {
            NodeContent::Int(seconds @ 0..) => format!(
                "write a duration as a string with a unit, such as \"{seconds}s\" or \"{seconds}ms\""
            ),
            _ => "write a duration as a string, such as \"250ms\" or \"2s\"".to_owned(),
        };
        return Err(problem.help(help));
    };
    parse(text).map_err(|message| {
        let problem = problem(message);
        let ends = text.replace("...", "..").replace(['–', '—', '-'], "..");
        match ends.split_once("..") {
            _ if text.trim().bytes().all(|byte| byte.is_ascii_digit())
                && !text.trim().is_empty() =>
            {
                problem.help(format!("add a unit, such as `{}s`", text.trim()))
            }
            Some((low, high)) if ends != text && DurationRange::parse(&ends).is_ok() => {
                problem.help(format!("write a range as `{}..{}`", low.trim(), high.trim()))
            }
            _ => problem,
        }
    })
}

/// Adds help for a string that contains an integer or one of these words.
fn unquoted(node: &SyntaxNode, problem: Problem, words: &[&str]) -> Problem {
    match node.as_text().map(str::trim) {
        Some(text) if words.contains(&text) || words.is_empty() && text.parse::<i64>().is_ok() => {
            problem.help(format!("write it without quotes: `{text}`"))
        }
        Some(_) if !words.is_empty() => problem.help(format!("write {}", one_of(words.to_vec()))),
        _ => problem,
    }
}

/// Returns the problem of a value that has another type than expected.
pub fn unexpected_type(node: &SyntaxNode, expected: &str) -> Problem {
    let message = format!("expected {expected}, found {}", node.kind());
    Problem::at(&node.span, code::INVALID_TYPE, message)
}
