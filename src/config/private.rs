//! The parts of a configuration that are never printed: values of credentials and headers.

use std::ops::Range;

use crate::diag::{NodeContent, Source, SyntaxNode};

/// Paths of the keys whose values may be printed; `*` is any key or any entry of a list. Everything
/// else may be a credential, also below a key that is mistyped or in the wrong place.
const PRINTED: &[&str] = &[
    "seed",
    "start",
    "demo",
    "files",
    "vendor.*.revision",
    "vendor.*.account",
    "vendor.*.option",
    "vendor.*.on_open",
    "endpoint.*.vendor",
    "endpoint.*.url",
    "endpoint.*.events",
    "endpoint.*.timeout",
    "endpoint.*.ca",
    "endpoint.*.insecure",
    "endpoint.*.cert",
    "endpoint.*.key",
    "endpoint.*.resolve",
];

/// Returns the ranges of a configuration that are never printed, in ascending order: private values,
/// and all comments, since they often contain previous values.
pub(super) fn private_ranges(source: &Source, root: &SyntaxNode) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    collect_values(root, &mut Vec::new(), &mut ranges);
    for token in toml_parser::Source::new(&source.text).lex() {
        if token.kind() == toml_parser::lexer::TokenKind::Comment {
            ranges.push(token.span().start()..token.span().end());
        }
    }
    ranges.sort_by_key(|range| range.start);
    ranges
}

fn collect_values<'a>(
    node: &'a SyntaxNode,
    path: &mut Vec<&'a str>,
    ranges: &mut Vec<Range<usize>>,
) {
    if PRINTED.iter().any(|pattern| is_below(path, pattern)) {
        return;
    }
    match &node.content {
        NodeContent::Table(table) => {
            for (key, value) in &table.0 {
                path.push(&key.name);
                collect_values(value, path, ranges);
                path.pop();
            }
        }
        NodeContent::List(items) => {
            for item in items {
                path.push("*");
                collect_values(item, path, ranges);
                path.pop();
            }
        }
        // References to credentials are not secret, and show which one is missing.
        NodeContent::Text(text) if text.starts_with("env:") || text.starts_with("file:") => {}
        _ => ranges.push(without_quotes(node)),
    }
}

fn is_below(path: &[&str], pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('.').collect();
    let is_same = |(part, key): (&&str, &&str)| *part == "*" || part == key;
    path.len() >= parts.len() && parts.iter().zip(path).all(is_same)
}

fn without_quotes(node: &SyntaxNode) -> Range<usize> {
    let (range, text) = (node.span.range.clone(), node.span.text());
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| text.starts_with(quotes));
    let length = quotes.map_or(0, str::len);
    if text.len() < 2 * length { range } else { range.start + length..range.end - length }
}
