//! Reads TOML into nodes; every syntax error of the file at once.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diag::code;
use crate::diag::node::{Content, Key, Node, Table};
use crate::diag::problem::{Problem, Problems};
use crate::diag::source::Source;

/// The file as one table. Where it is not TOML, as much of it as could be read, and why.
pub fn parse(source: &Arc<Source>) -> (Node, Problems) {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut problems = Problems::new();
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().lines().next().unwrap_or("not TOML");
        let place = source.place(span);
        let mut problem = Problem::at(&place, code::TOML_SYNTAX, message);
        if !message.starts_with("duplicate") {
            problem.help = bare_word(place.text());
        }
        problems.push(problem);
    }
    let mut reader = Reader { source, problems };
    let span = table.span();
    let node = reader.table(span, table.into_inner());
    (node, reader.problems)
}

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

struct Reader<'a> {
    source: &'a Arc<Source>,
    problems: Problems,
}

impl Reader<'_> {
    fn node(&mut self, value: Spanned<DeValue<'_>>) -> Node {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => self.table(span, table),
            DeValue::Array(items) => {
                let items = items.into_iter().map(|item| self.node(item)).collect();
                self.leaf(span, Content::List(items))
            }
            DeValue::String(text) => self.leaf(span, Content::Text(text.into_owned())),
            DeValue::Boolean(flag) => self.leaf(span, Content::Bool(flag)),
            DeValue::Datetime(date) => self.leaf(span, Content::Text(date.to_string())),
            DeValue::Integer(int) => match i64::from_str_radix(int.as_str(), int.radix()) {
                Ok(int) => self.leaf(span, Content::Int(int)),
                Err(_) => self.unfit(span, "an integer between -2^63 and 2^63 - 1"),
            },
            DeValue::Float(float) => match json_number(float.as_str()) {
                Some(number) => self.leaf(span, Content::Number(number)),
                None => self.unfit(span, "a finite number"),
            },
        }
    }

    fn table(&mut self, span: Range<usize>, table: DeTable<'_>) -> Node {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let place = self.source.place(key.span());
            entries.push((Key { name: key.into_inner().into_owned(), place }, self.node(value)));
        }
        self.leaf(span, Content::Table(Table(entries)))
    }

    fn unfit(&mut self, span: Range<usize>, expected: &str) -> Node {
        let place = self.source.place(span.clone());
        if !self.problems.has(&place) {
            let message = format!("expected {expected}");
            self.problems.push(Problem::at(&place, code::WRONG_TYPE, message));
        }
        self.leaf(span, Content::Int(0))
    }

    fn leaf(&self, span: Range<usize>, content: Content) -> Node {
        Node { place: self.source.place(span), content }
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
        assert_eq!((text.place.text(), text.place.short().as_str()), ("'y'", "a.toml:4:5"));
    }

    #[test]
    fn all_syntax_errors_are_found_at_once() {
        let source =
            Source::new("a.toml", "a = \nb = 1\nb = 2\nc = inf\nd = 99999999999999999999\n");
        let (_, problems) = parse(&source);
        let found: Vec<String> = problems
            .sorted()
            .iter()
            .map(|problem| problem.place.as_ref().unwrap().short())
            .collect();
        assert_eq!(found, ["a.toml:1:5", "a.toml:3:1", "a.toml:4:5", "a.toml:5:5"]);
    }
}
