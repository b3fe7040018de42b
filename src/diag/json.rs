//! Strict JSON parser that produces nodes: no comments, no trailing commas, no duplicate keys.

use std::sync::Arc;

use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::base::limits::MAX_KEYS;
use crate::diag::code;
use crate::diag::node::{Key, NodeContent, SyntaxNode, Table};
use crate::diag::problem::{Problem, Problems, too_many};
use crate::diag::source::{Source, SourceSpan};

// The parser is lenient by default: it is made for configuration files with comments.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Parses a file. The value is `None` after a syntax error.
pub fn parse(source: &Arc<Source>) -> (Option<SyntaxNode>, Problems) {
    let mut problems = Problems::new();
    let parsed = match parse_to_ast(&source.text, &CollectOptions::default(), &STRICT) {
        Ok(parsed) => parsed.value,
        Err(error) => {
            let range = error.range();
            let span = source.span(range.start..range.end);
            problems.push(Problem::at(
                &span,
                code::JSON_SYNTAX,
                error.kind().to_string().to_lowercase(),
            ));
            return (None, problems);
        }
    };
    let Some(value) = parsed else {
        let problem = Problem::at(&source.span(0..0), code::JSON_SYNTAX, "the file is empty");
        problems.push(problem.help("the smallest template is `{}`"));
        return (None, problems);
    };
    let node = JsonReader { source, problems: &mut problems }.node(value);
    (Some(node), problems)
}

struct JsonReader<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Problems,
}

impl JsonReader<'_> {
    fn node(&mut self, value: Value<'_>) -> SyntaxNode {
        let range = value.range();
        let span = self.source.span(range.start..range.end);
        let content = match value {
            Value::StringLit(text) => {
                self.check_string(&span);
                NodeContent::Text(text.value.into_owned())
            }
            Value::NumberLit(number) => self.number(number.value, &span),
            Value::BooleanLit(flag) => NodeContent::Bool(flag.value),
            Value::NullKeyword(_) => NodeContent::Null,
            Value::Array(items) => {
                NodeContent::List(items.elements.into_iter().map(|item| self.node(item)).collect())
            }
            Value::Object(object) => {
                let mut table = Table::default();
                for property in object.properties {
                    let key = self.key(property.name);
                    if table.0.len() == MAX_KEYS {
                        self.problems.push(too_many(&key.span, MAX_KEYS, "keys in a table"));
                        break;
                    }
                    // The parser accepts duplicate keys. Receivers keep the first or the last one.
                    if let Some((first, _)) = table.entry(&key.name) {
                        let message = format!("duplicate key `{}`", key.name);
                        let problem = Problem::at(&key.span, code::DUPLICATE_KEY, message);
                        self.problems.push(problem.also(&first.span, "first defined here"));
                    }
                    let value = self.node(property.value);
                    table.0.push((key, value));
                }
                NodeContent::Table(table)
            }
        };
        SyntaxNode { span, content }
    }

    fn key(&mut self, name: ObjectPropName<'_>) -> Key {
        let range = name.range();
        let span = self.source.span(range.start..range.end);
        self.check_string(&span);
        Key { span, name: name.into_string() }
    }

    /// Reports a control character in a string. The parser accepts them, RFC 8259 does not.
    fn check_string(&mut self, span: &SourceSpan) {
        if let Some(found) = span.text().chars().find(char::is_ascii_control) {
            let message = "control character in a string";
            let problem = Problem::at(span, code::JSON_SYNTAX, message);
            self.problems.push(problem.help(format!("write it as `\\u{:04x}`", u32::from(found))));
        }
    }

    /// Converts a number. All but plain integers keep their text: `1.50` must not become `1.5`.
    fn number(&mut self, literal: &str, span: &SourceSpan) -> NodeContent {
        match literal.parse::<i64>() {
            Ok(int) if int.to_string() == literal => NodeContent::Int(int),
            _ if serde_json::from_str::<serde_json::Number>(literal).is_ok() => {
                NodeContent::Number(literal.into())
            }
            _ => {
                let message = format!("invalid JSON number `{literal}`");
                self.problems.push(Problem::at(span, code::JSON_SYNTAX, message));
                // A placeholder, so that the rest of the file is checked.
                NodeContent::Int(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let (_, problems) = parse(&Source::new("a.json", text));
        problems.sorted().iter().map(|p| p.span.as_ref().unwrap().short()).collect()
    }

    #[test]
    fn numbers_keep_their_format() {
        let (node, problems) =
            parse(&Source::new("a.json", r#"{"b": 1.50, "a": [null, "\u00e5"]}"#));
        assert!(problems.is_empty());
        assert_eq!(node.unwrap().to_json().to_string(), r#"{"b":1.50,"a":[null,"å"]}"#);
    }

    #[test]
    fn deviations_from_json_are_reported_at_their_location() {
        assert_eq!(check("{\"a\": 1,\n \"a\": 2}"), ["a.json:2:2"]);
        for invalid in [
            "",
            "{\"a\":1,}",
            "{a:1}",
            "{} x",
            "// c\n{}",
            "'a'",
            "0x1",
            "[1 2]",
            "\"\0\"",
            "\"\n\"",
        ] {
            assert_eq!(check(invalid).len(), 1, "{invalid}");
        }
    }
}
