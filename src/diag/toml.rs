//! TOML parser that produces nodes and reports all syntax errors of a file at once.

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
use crate::diag::syntax_help::other_format;
use crate::diag::toml_errors::Outline;

/// Parses a file into its root table. After syntax errors the table contains what could be read.
pub fn parse(source: &Arc<Source>) -> (SyntaxNode, Problems) {
    let other = |outline| other_format(source).map_or(Ok(outline), Err);
    let outline = match outline(source).and_then(other) {
        Ok(outline) => outline,
        Err(problem) => {
            let content = NodeContent::Table(Table::default());
            return (SyntaxNode { span: source.span(0..0), content }, problem.into());
        }
    };
    let (table, errors) = if source.text.len() > MAX_ERROR_RECOVERY {
        DeTable::parse(&source.text).map_or_else(
            |first| (Spanned::new(0..0, DeTable::new()), vec![first]),
            |table| (table, Vec::new()),
        )
    } else {
        DeTable::parse_recoverable(&source.text)
    };
    let mut problems = Problems::new();
    for problem in outline.problems(source, &errors) {
        problems.push_cause(problem);
    }
    if source.text.len() <= MAX_ERROR_RECOVERY
        && let Some(rest) = outline.without_incomplete_lines()
    {
        let (_, errors) = DeTable::parse_recoverable(&rest);
        for problem in Outline::new(&rest).problems(source, &errors) {
            problems.push_on_new_line(problem);
        }
    }
    let mut reader = TomlReader { source, broken: problems.broke_parsing(), problems };
    let range = table.span();
    let node = reader.table(range, table.into_inner());
    (node, reader.problems)
}

/// Reads the outline of a file. A file that is too large or too deep is not parsed.
fn outline(source: &Arc<Source>) -> Result<Outline<'_>, Problem> {
    // Count tokens first: parsing is what costs the memory.
    if let Some(problem) = too_many_tokens(source) {
        return Err(problem);
    }
    let outline = Outline::new(&source.text);
    outline.too_deep(source).map_or(Ok(outline), Err)
}

/// Returns a problem if the file has more than [`MAX_TOKENS`] tokens.
fn too_many_tokens(source: &Arc<Source>) -> Option<Problem> {
    let token = toml_parser::Source::new(&source.text).lex().nth(MAX_TOKENS)?;
    let span = source.span(token.span().start()..token.span().end());
    let message = format!("more than {MAX_TOKENS} tokens");
    Some(Problem::at(&span, code::TOO_MANY, message).help("split it into several files"))
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
            let message = format!(
                "expected {expected}, found `{}`",
                excerpt(&self.source.shown(range.clone()), 40)
            );
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
    fn brackets_and_dotted_keys_together_have_a_maximum_depth() {
        let key = ["a"; 80].join(".");
        let tables = format!("{key} = {{").repeat(79) + &key + " = 1" + &"}".repeat(79);
        let lists = format!("[{key}]\nb = 1\n");
        let (_, problems) = parse(&Source::new("a.toml", tables));
        assert_eq!(problems.sorted()[0].span.as_ref().unwrap().short(), "a.toml:1:163");
        assert_eq!(parse(&Source::new("a.toml", lists)).1.len(), 1);
        assert!(parse(&Source::new("a.toml", format!("{key} = 1"))).1.is_empty());
    }

    #[test]
    fn an_unclosed_bracket_is_reported_once_at_its_line() {
        for (text, span) in [
            ("a = { b = 1\n[c]\nd = 2\ne = 3\n", "a.toml:1:12"),
            ("a = [1, 2\n\n[[c]]\nd = 2\n", "a.toml:1:10"),
            ("a = { b = 'c }\n[[c]]\nd = 2\n[[c]]\nd = 2\n", "a.toml:1:15"),
            ("a = { b = 1\n", "a.toml:1:12"),
            // The string ends after the last character that is not a space.
            ("a = { b = \" \nc", "a.toml:1:13"),
        ] {
            let (_, problems) = parse(&Source::new("a.toml", text));
            let found: Vec<String> =
                problems.sorted().iter().map(|p| p.span.as_ref().unwrap().short()).collect();
            assert_eq!(found, [span], "{text}");
        }
    }
}
