//! Exact changes of a rendered JSON body. All bytes that are not changed stay as they are: the order
//! of keys, whitespace, escapes and the digits of numbers.

use std::ops::Range;

use serde_json::Value as Json;

use super::json_style::JsonStyle;
use crate::base::text::nearest;
use crate::diag::{NodeContent, Source, SyntaxNode, json};

/// A change of one value of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyEdit {
    /// JSON pointer of the value.
    pub pointer: String,
    /// The new value; `None` removes the key or the element.
    pub value: Option<Json>,
}

/// A body that can be edited.
#[derive(Debug)]
pub struct EditableBody {
    text: String,
    root: Option<SyntaxNode>,
}

/// The place of a value in a body.
struct ValuePlace {
    value: Range<usize>,
    /// The value with its key and one comma, if it is in an object or a list.
    entry: Option<Range<usize>>,
}

impl EditableBody {
    /// Parses a body. A body that is not JSON has no values.
    pub fn new(text: String) -> Self {
        let (root, _) = json::parse(&Source::new("body", text.as_str()));
        Self { text, root }
    }

    /// Returns whether the body has a value at a JSON pointer.
    pub fn has(&self, pointer: &str) -> bool {
        self.place(pointer).is_some()
    }

    /// Returns the body with these changes. Every pointer refers to the body before the first one.
    /// Changes of values that do not exist are ignored.
    #[must_use]
    pub fn edited(mut self, edits: &[BodyEdit], style: JsonStyle) -> String {
        let mut placed: Vec<(usize, &BodyEdit)> = edits
            .iter()
            .filter_map(|edit| Some((self.place(&edit.pointer)?.value.start, edit)))
            .collect();
        // From the end, so that removed elements do not renumber those of later changes.
        placed.sort_by_key(|(start, _)| std::cmp::Reverse(*start));
        for (_, edit) in placed {
            self = self.with(edit, style);
        }
        self.text
    }

    fn with(mut self, edit: &BodyEdit, style: JsonStyle) -> Self {
        let Some(place) = self.place(&edit.pointer) else { return self };
        match (&edit.value, place.entry) {
            (Some(value), _) => self.text.replace_range(place.value, &style.format(value)),
            (None, Some(entry)) => self.text.replace_range(entry, ""),
            (None, None) => return self, // the whole body, which a scenario cannot remove
        }
        Self::new(self.text)
    }

    fn place(&self, pointer: &str) -> Option<ValuePlace> {
        let root = self.root.as_ref()?;
        let mut place = ValuePlace { value: root.span.range.clone(), entry: None };
        let mut node = root;
        for segment in segments(pointer) {
            let entries = entries(node);
            let at = entries.iter().position(|entry| entry.name == segment)?;
            let whole = |entry: &BodyEntry<'_>| entry.start..entry.node.span.range.end;
            let own = whole(&entries[at]);
            let with_comma = if let Some(next) = entries.get(at + 1) {
                own.start..next.start
            } else if let Some(before) = at.checked_sub(1) {
                whole(&entries[before]).end..own.end
            } else {
                own
            };
            node = entries[at].node;
            place = ValuePlace { value: node.span.range.clone(), entry: Some(with_comma) };
        }
        Some(place)
    }

    /// Describes what the body has instead of a pointer that matches nothing.
    pub fn nearest(&self, pointer: &str) -> String {
        let Some(root) = &self.root else { return "the body is not JSON".to_owned() };
        let (mut node, mut parent) = (root, String::new());
        let path: Vec<String> = segments(pointer).collect();
        for (depth, segment) in path.iter().enumerate() {
            let entries = entries(node);
            if let Some(entry) = entries.iter().find(|entry| entry.name == *segment) {
                node = entry.node;
                parent.push_str(&escaped(segment));
                continue;
            }
            let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
            if let Some(name) = nearest(segment, names.iter().copied()) {
                let rest: String = path[depth + 1..].iter().map(|name| escaped(name)).collect();
                let other = format!("{parent}{}{rest}", escaped(name));
                if self.has(&other) {
                    return format!("did you mean `\"{other}\"`?");
                }
            }
            break;
        }
        let last = path.last().map(|name| escaped(name)).unwrap_or_default();
        let mut all = Vec::new();
        collect_pointers(root, "", &mut all);
        if let Some(same) = all.iter().find(|other| !last.is_empty() && other.ends_with(&last)) {
            return format!("did you mean `\"{same}\"`?");
        }
        match entries(node).len() {
            0 => format!("`\"{parent}\"` has no fields"),
            _ => {
                let names = entries(node).into_iter().take(MAX_NAMES).map(|entry| entry.name);
                let names: Vec<String> =
                    names.map(|name| format!("`\"{parent}{}\"`", escaped(&name))).collect();
                format!("the body has {}", names.join(", "))
            }
        }
    }
}

/// Maximum number of pointers that a message lists.
const MAX_NAMES: usize = 12;

/// An entry of an object or a list.
struct BodyEntry<'a> {
    name: String,
    /// Where it begins: at its key, or at its value in a list.
    start: usize,
    node: &'a SyntaxNode,
}

fn entries(node: &SyntaxNode) -> Vec<BodyEntry<'_>> {
    match &node.content {
        NodeContent::Table(table) => {
            let entries = table.0.iter();
            entries
                .map(|(key, node)| BodyEntry {
                    name: key.name.clone(),
                    start: key.span.range.start,
                    node,
                })
                .collect()
        }
        NodeContent::List(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, node)| BodyEntry {
                    name: index.to_string(),
                    start: node.span.range.start,
                    node,
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

fn collect_pointers(node: &SyntaxNode, parent: &str, all: &mut Vec<String>) {
    for entry in entries(node) {
        let pointer = format!("{parent}{}", escaped(&entry.name));
        collect_pointers(entry.node, &pointer, all);
        all.push(pointer);
    }
}

/// Returns the keys and indices of a JSON pointer.
fn segments(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

/// Returns a key as a pointer has it, with the slash before it.
fn escaped(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::json_style::JsonSpacing;
    use super::*;

    const BODY: &str = r#"{"b": 1.50, "a/b": {"x": "\u00e5", "y": [1, 2, 3]}, "c": {}}"#;
    const SPACED: JsonStyle = JsonStyle { spacing: JsonSpacing::Spaced, ascii: true };

    fn edited(edits: &[(&str, Option<Json>)]) -> String {
        let edit = |(pointer, value): &(&str, Option<Json>)| BodyEdit {
            pointer: (*pointer).to_owned(),
            value: value.clone(),
        };
        let edits: Vec<BodyEdit> = edits.iter().map(edit).collect();
        EditableBody::new(BODY.to_owned()).edited(&edits, SPACED)
    }

    #[test]
    fn all_other_bytes_stay() {
        assert_eq!(edited(&[]), BODY);
        assert_eq!(edited(&[("/nothing", None), ("/b/0", None), ("/a~1b/y/03", None)]), BODY);
        assert_eq!(
            edited(&[("/c", Some(json!({"ö": [null, 2]})))]),
            BODY.replace("{}}", r#"{"\u00f6": [null, 2]}}"#)
        );
    }

    #[test]
    fn removal_takes_one_comma() {
        assert_eq!(edited(&[("/b", None)]), BODY.replace(r#""b": 1.50, "#, ""));
        assert_eq!(edited(&[("/c", None)]), BODY.replace(r#", "c": {}"#, ""));
        assert_eq!(edited(&[("/a~1b/x", None), ("/a~1b/y", None)]), {
            let start = BODY.find(r#""x""#).unwrap();
            let end = BODY.find("}, \"c\"").unwrap();
            format!("{}{}", &BODY[..start], &BODY[end..])
        });
        let all = ["/b", "/a~1b", "/c"].map(|pointer| (pointer, None));
        assert_eq!(edited(&all), "{}");
    }

    #[test]
    fn pointers_refer_to_the_body_before_all_changes() {
        let edits = [("/a~1b/y/0", None), ("/a~1b/y/2", Some(json!("z"))), ("/a~1b/y/1", None)];
        assert_eq!(edited(&edits), BODY.replace("[1, 2, 3]", r#"["z"]"#));
    }

    #[test]
    fn help_names_the_nearest_pointer() {
        let body = EditableBody::new(BODY.to_owned());
        assert_eq!(body.nearest("/a~1c/x"), "did you mean `\"/a~1b/x\"`?");
        assert_eq!(body.nearest("/user/y"), "did you mean `\"/a~1b/y\"`?");
        assert_eq!(body.nearest("/quantity"), "the body has `\"/b\"`, `\"/a~1b\"`, `\"/c\"`");
        assert_eq!(body.nearest("/c/zz"), "`\"/c\"` has no fields");
        assert_eq!(EditableBody::new("a=1".into()).nearest("/q"), "the body is not JSON");
    }
}
