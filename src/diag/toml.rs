//! Reads TOML into nodes; every syntax error of the file at once.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::base::limits::{MAX_ENTRIES, MAX_KEYS, MAX_RECOVERED, MAX_TOKENS};
use crate::base::text::excerpt;
use crate::diag::code;
use crate::diag::node::{Key, NodeContent, SyntaxNode, Table};
use crate::diag::problem::{Problem, Problems, too_many};
use crate::diag::source::Source;

/// Syntax errors of one file that are told. What follows the first is often its doing.
const MAX_ERRORS: usize = 100;

/// The file as one table. Where it is not TOML, as much of it as could be read, and why.
pub fn parse(source: &Arc<Source>) -> (SyntaxNode, Problems) {
    if let Some(problem) = too_many_tokens(source) {
        let content = NodeContent::Table(Table::default());
        return (SyntaxNode { span: source.span(0..0), content }, problem.into());
    }
    let (table, errors) = if source.text.len() > MAX_RECOVERED {
        DeTable::parse(&source.text).map_or_else(
            |first| (Spanned::new(0..0, DeTable::new()), vec![first]),
            |table| (table, Vec::new()),
        )
    } else {
        DeTable::parse_recoverable(&source.text)
    };
    let mut problems = Problems::new();
    for (range, message) in causes(&source.text, &errors).into_iter().take(MAX_ERRORS) {
        problems.push(syntax(source, range, message));
    }
    let mut reader = TomlReader { source, broken: problems.broke_parsing(), problems };
    let range = table.span();
    let node = reader.table(range, table.into_inner());
    (node, reader.problems)
}

/// The problem with a file that would cost far more memory than it has bytes.
fn too_many_tokens(source: &Arc<Source>) -> Option<Problem> {
    let token = toml_parser::Source::new(&source.text).lex().nth(MAX_TOKENS)?;
    let span = source.span(token.span().start()..token.span().end());
    let message = format!("more than {MAX_TOKENS} names, values and signs");
    Some(Problem::at(&span, code::TOO_MANY, message).help("tell it in several files"))
}

type SyntaxError<'a> = (Range<usize>, &'a str);

/// The errors that are not the doing of others. A table or a list in place that is not closed
/// swallows the file to its end; a second header of the same name is told once.
fn causes<'a>(text: &str, errors: &'a [toml::de::Error]) -> Vec<SyntaxError<'a>> {
    let first_line = |error: &'a toml::de::Error| error.message().lines().next();
    let message = |error: &'a toml::de::Error| first_line(error).unwrap_or("not TOML");
    let all = errors.iter().map(|error| (error.span().unwrap_or(0..0), message(error)));
    let mut errors: Vec<SyntaxError<'_>> = all.collect();
    errors.sort_by_key(|(range, _)| range.start);
    if let Some(&(_, unclosed)) = errors.iter().find(|(_, message)| SWALLOWING.contains(message))
        && let Some(first) = errors.iter().position(|(range, message)| {
            message.starts_with("missing") && begins_line(text, range.start)
        })
    {
        let end = text[..errors[first].0.start].trim_end().len();
        errors.truncate(first);
        // A text that is not closed takes the bracket with it.
        if errors.last().is_none_or(|(range, _)| text[range.start..end].contains('\n')) {
            errors.push((end..end, unclosed));
        }
    }
    let mut headers = BTreeSet::new();
    errors.retain(|(range, message)| {
        let is_header = message.starts_with(DUPLICATE) && text[..range.start].ends_with('[');
        !is_header || headers.insert(&text[range.clone()])
    });
    errors
}

/// What the parser calls a key that is there twice.
const DUPLICATE: &str = "duplicate key";

/// What the parser says at the end of a file that a table or a list has swallowed.
const SWALLOWING: &[&str] =
    &["unclosed inline table, expected `}`", "unclosed array, expected `]`"];

fn begins_line(text: &str, at: usize) -> bool {
    text[..at].trim_end_matches([' ', '\t']).ends_with('\n')
}

fn syntax(source: &Arc<Source>, range: Range<usize>, message: &str) -> Problem {
    let is_header = source.text[..range.start].ends_with(['[', '.']);
    let span = &source.span(range);
    if message.starts_with(DUPLICATE) {
        let message = format!("the key `{}` is there twice", span.text());
        return Problem::at(span, code::DUPLICATE_KEY, message).help(if is_header {
            "a table stands in one place; a list of tables is written `[[…]]`"
        } else {
            "a key has one value: take one of them away"
        });
    }
    let problem = Problem::at(span, code::TOML_SYNTAX, message);
    let advice = ADVICE.iter().find(|(part, _)| message.contains(part));
    match (bare_word(span.text()), advice) {
        (Some(help), _) => problem.help(help),
        (None, Some((_, help))) => problem.help(*help),
        (None, None) => problem,
    }
}

/// What to do about a syntax error, by a part of what the parser says.
const ADVICE: &[(&str, &str)] = &[
    ("expected `\"`", "a text ends with the quote that it began with, on the same line"),
    ("expected `'`", "a text ends with the quote that it began with, on the same line"),
    ("unclosed array table", "an entry of a list begins with `[[name]]`"),
    ("unclosed table", "a table begins with `[name]`"),
    ("unclosed inline table", "a table in place ends with `}`"),
    ("unclosed array", "a list ends with `]`"),
    ("recurs", "tables and lists nest 80 deep at most"),
    ("carriage return", "save the file with the line ends of Unix or of Windows"),
];

/// What to do about a word that stands where a value belongs.
fn bare_word(text: &str) -> Option<String> {
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    match text {
        "null" | "None" | "nil" => Some("TOML has no null: leave the key out".into()),
        "True" | "TRUE" => Some("write `true`".into()),
        "False" | "FALSE" => Some("write `false`".into()),
        _ if is_word => Some(format!("a text stands in quotes: `\"{text}\"`")),
        _ => None,
    }
}

struct TomlReader<'a> {
    source: &'a Arc<Source>,
    /// Whether there are syntax errors: then values may not be what was meant.
    broken: bool,
    problems: Problems,
}

impl TomlReader<'_> {
    fn node(&mut self, value: Spanned<DeValue<'_>>) -> SyntaxNode {
        let range = value.span();
        match value.into_inner() {
            DeValue::Table(table) => self.table(range, table),
            DeValue::Array(items) => {
                if items.len() > MAX_ENTRIES {
                    let span = self.source.span(range.clone());
                    self.problems.push(too_many(&span, MAX_ENTRIES, "entries in a list"));
                }
                let items = items.into_iter().take(MAX_ENTRIES);
                let items = items.map(|item| self.node(item)).collect();
                self.leaf(range, NodeContent::List(items))
            }
            DeValue::String(text) => self.leaf(range, NodeContent::Text(text.into_owned())),
            DeValue::Boolean(flag) => self.leaf(range, NodeContent::Bool(flag)),
            DeValue::Datetime(date) => self.leaf(range, NodeContent::Text(date.to_string())),
            DeValue::Integer(int) => match i64::from_str_radix(int.as_str(), int.radix()) {
                Ok(int) => self.leaf(range, NodeContent::Int(int)),
                Err(_) => self.unfit(range, "an integer between -2^63 and 2^63 - 1"),
            },
            DeValue::Float(float) => match json_number(float.as_str()) {
                Some(number) => self.leaf(range, NodeContent::Number(number)),
                None => self.unfit(range, "a finite number"),
            },
        }
    }

    fn table(&mut self, range: Range<usize>, table: DeTable<'_>) -> SyntaxNode {
        let mut entries = Vec::with_capacity(table.len().min(MAX_KEYS));
        for (key, value) in table {
            let span = self.source.span(key.span());
            if entries.len() == MAX_KEYS {
                self.problems.push(too_many(&span, MAX_KEYS, "keys in a table"));
                break;
            }
            entries.push((Key { name: key.into_inner().into_owned(), span }, self.node(value)));
        }
        self.leaf(range, NodeContent::Table(Table(entries)))
    }

    fn unfit(&mut self, range: Range<usize>, expected: &str) -> SyntaxNode {
        if !self.broken {
            let span = self.source.span(range.clone());
            let message = format!("expected {expected}, found `{}`", excerpt(span.text(), 40));
            self.problems.push(Problem::at(&span, code::WRONG_TYPE, message));
        }
        self.leaf(range, NodeContent::Int(1)) // what most keys can hold, so that nothing else is told
    }

    fn leaf(&self, range: Range<usize>, content: NodeContent) -> SyntaxNode {
        SyntaxNode { span: self.source.span(range), content }
    }
}

/// TOML's spelling of a float as JSON spells it, or nothing for what JSON cannot say.
fn json_number(float: &str) -> Option<String> {
    let plain = float.strip_prefix('+').unwrap_or(float);
    serde_json::from_str::<serde_json::Number>(plain).ok().map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_their_places() {
        let source = Source::new("a.toml", "b = 1\na = [true, 1.50]\n[t]\nx = 'y'\n");
        let (node, problems) = parse(&source);
        assert!(problems.is_empty());
        assert_eq!(node.to_json().to_string(), r#"{"b":1,"a":[true,1.50],"t":{"x":"y"}}"#);
        let text = node.as_table().unwrap().get("t").unwrap().as_table().unwrap().get("x").unwrap();
        assert_eq!((text.span.text(), text.span.short().as_str()), ("'y'", "a.toml:4:5"));
    }

    #[test]
    fn all_syntax_errors_are_found_at_once() {
        let source = Source::new("a.toml", "a = \nb = 1\nb = 2\nc = inf\n");
        let (_, problems) = parse(&source);
        let found: Vec<String> = problems
            .sorted()
            .iter()
            .map(|problem| problem.span.as_ref().unwrap().short())
            .collect();
        assert_eq!(found, ["a.toml:1:5", "a.toml:3:1"]);
    }

    #[test]
    fn what_is_not_closed_is_told_once_where_it_ends() {
        for (text, span) in [
            ("a = { b = 1\n[c]\nd = 2\ne = 3\n", "a.toml:1:12"),
            ("a = [1, 2\n\n[[c]]\nd = 2\n", "a.toml:1:10"),
            ("a = { b = 'c }\n[[c]]\nd = 2\n[[c]]\nd = 2\n", "a.toml:1:15"),
            ("a = { b = 1\n", "a.toml:1:12"),
        ] {
            let (_, problems) = parse(&Source::new("a.toml", text));
            let found: Vec<String> =
                problems.sorted().iter().map(|p| p.span.as_ref().unwrap().short()).collect();
            assert_eq!(found, [span], "{text}");
        }
    }
}
