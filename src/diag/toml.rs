//! TOML parser that produces nodes and reports all syntax errors of a file at once.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::base::limits::{MAX_ENTRIES, MAX_ERROR_RECOVERY, MAX_KEYS, MAX_TOKENS};
use crate::base::text::excerpt;
use crate::diag::code;
use crate::diag::node::{Key, NodeContent, SyntaxNode, Table};
use crate::diag::problem::{Problem, Problems, too_many};
use crate::diag::source::Source;

/// Maximum number of syntax errors that are reported for one file. Most are consequences of the
/// first.
const MAX_ERRORS: usize = 100;

/// Parses a file into its root table. After syntax errors the table contains what could be read.
pub fn parse(source: &Arc<Source>) -> (SyntaxNode, Problems) {
    // Count tokens first: parsing is what costs the memory.
    if let Some(problem) = too_many_tokens(source) {
        let content = NodeContent::Table(Table::default());
        return (SyntaxNode { span: source.span(0..0), content }, problem.into());
    }
    let (table, errors) = if source.text.len() > MAX_ERROR_RECOVERY {
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

/// Returns a problem if the file has more than [`MAX_TOKENS`] tokens.
fn too_many_tokens(source: &Arc<Source>) -> Option<Problem> {
    let token = toml_parser::Source::new(&source.text).lex().nth(MAX_TOKENS)?;
    let span = source.span(token.span().start()..token.span().end());
    let message = format!("more than {MAX_TOKENS} tokens");
    Some(Problem::at(&span, code::TOO_MANY, message).help("split it into several files"))
}

type SyntaxError<'a> = (Range<usize>, &'a str);

/// Removes consequential errors. An unclosed inline table or list consumes the rest of the file and
/// gives errors on each following line. A duplicate table header is reported only once.
fn causes<'a>(text: &str, errors: &'a [toml::de::Error]) -> Vec<SyntaxError<'a>> {
    let first_line = |error: &'a toml::de::Error| error.message().lines().next();
    let message = |error: &'a toml::de::Error| first_line(error).unwrap_or("not TOML");
    let all = errors.iter().map(|error| (error.span().unwrap_or(0..0), message(error)));
    let mut errors: Vec<SyntaxError<'_>> = all.collect();
    errors.sort_by_key(|(range, _)| range.start);
    // The parser reports an unclosed bracket at the end of the file. Move the error to the end of
    // the line before the first line that does not fit, and drop the errors after it.
    if let Some(&(_, unclosed)) = errors.iter().find(|(_, message)| UNCLOSED.contains(message))
        && let Some(first) = errors.iter().position(|(range, message)| {
            message.starts_with("missing") && begins_line(text, range.start)
        })
    {
        let end = text[..errors[first].0.start].trim_end().len();
        errors.truncate(first);
        // An unclosed string on that line already explains the missing bracket.
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

/// Start of the parser's message about a duplicate key.
const DUPLICATE: &str = "duplicate key";

/// Messages of the parser about an inline table or list that is open at the end of the file.
const UNCLOSED: &[&str] = &["unclosed inline table, expected `}`", "unclosed array, expected `]`"];

fn begins_line(text: &str, at: usize) -> bool {
    text[..at].trim_end_matches([' ', '\t']).ends_with('\n')
}

fn syntax(source: &Arc<Source>, range: Range<usize>, message: &str) -> Problem {
    let is_header = source.text[..range.start].ends_with(['[', '.']);
    let span = &source.span(range);
    if message.starts_with(DUPLICATE) {
        let message = format!("duplicate key `{}`", span.text());
        return Problem::at(span, code::DUPLICATE_KEY, message).help(if is_header {
            "define each table once; write a list of tables as `[[…]]`"
        } else {
            "remove one of them"
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

/// Help for syntax errors: a part of the parser's message, and the help text. The first match wins.
const ADVICE: &[(&str, &str)] = &[
    ("expected `\"`", "close the string with `\"` on the same line"),
    ("expected `'`", "close the string with `'` on the same line"),
    ("unclosed array table", "start an entry of a list of tables with `[[name]]`"),
    ("unclosed table", "start a table with `[name]`"),
    ("unclosed inline table", "close the inline table with `}`"),
    ("unclosed array", "close the list with `]`"),
    // The limit of the parser
    ("recurs", "tables and lists can be nested at most 80 levels deep"),
    ("carriage return", "save the file with Unix or Windows line endings"),
];

/// Returns help for a word without quotes in place of a value.
fn bare_word(text: &str) -> Option<String> {
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    match text {
        "null" | "None" | "nil" => Some("TOML has no null: remove the key".into()),
        "True" | "TRUE" => Some("write `true`".into()),
        "False" | "FALSE" => Some("write `false`".into()),
        _ if is_word => Some(format!("put a string in quotes: `\"{text}\"`")),
        _ => None,
    }
}

struct TomlReader<'a> {
    source: &'a Arc<Source>,
    /// True after syntax errors: values may then be incomplete, and their problems misleading.
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
                Err(_) => self.out_of_range(range, "an integer between -2^63 and 2^63 - 1"),
            },
            DeValue::Float(float) => match json_number(float.as_str()) {
                Some(number) => self.leaf(range, NodeContent::Number(number)),
                None => self.out_of_range(range, "a finite number"),
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

    fn out_of_range(&mut self, range: Range<usize>, expected: &str) -> SyntaxNode {
        if !self.broken {
            let span = self.source.span(range.clone());
            let message = format!("expected {expected}, found `{}`", excerpt(span.text(), 40));
            self.problems.push(Problem::at(&span, code::INVALID_TYPE, message));
        }
        // A placeholder that most numeric keys accept, so that no second problem follows.
        self.leaf(range, NodeContent::Int(1))
    }

    fn leaf(&self, range: Range<usize>, content: NodeContent) -> SyntaxNode {
        SyntaxNode { span: self.source.span(range), content }
    }
}

/// Converts a TOML float to JSON syntax. Returns `None` for `inf` and `nan`, which JSON lacks.
fn json_number(float: &str) -> Option<String> {
    let plain = float.strip_prefix('+').unwrap_or(float);
    serde_json::from_str::<serde_json::Number>(plain).ok().map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_spans() {
        let source = Source::new("a.toml", "b = 1\na = [true, 1.50]\n[t]\nx = 'y'\n");
        let (node, problems) = parse(&source);
        assert!(problems.is_empty());
        assert_eq!(node.to_json().to_string(), r#"{"b":1,"a":[true,1.50],"t":{"x":"y"}}"#);
        let text = node.as_table().unwrap().get("t").unwrap().as_table().unwrap().get("x").unwrap();
        assert_eq!((text.span.text(), text.span.short().as_str()), ("'y'", "a.toml:4:5"));
    }

    #[test]
    fn all_syntax_errors_are_reported() {
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
    fn an_unclosed_bracket_is_reported_once_at_its_line() {
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
