//! Forms: declarations of the tables in a file.
//!
//! [`form!`](crate::form) generates a struct, a reader that finds all problems of the table in one
//! pass, and the JSON Schema that editors use for completion. A serde derive would stop at the
//! first problem, and it loses source spans inside enums.

use std::ops::Deref;

use serde_json::{Map, Value as Json, json};

use crate::base::text::{excerpt, nearest, one_of};
use crate::diag::code;
use crate::diag::entry_name::{assigned_name, header_name};
use crate::diag::node::{Key, NodeContent, SyntaxNode, Table};
use crate::diag::problem::{Problem, Problems};
use crate::diag::scalar::{Scalar, unexpected_type};
use crate::diag::source::SourceSpan;

/// A type that can be read from a node of a file.
pub trait Form: Sized {
    /// Reads a value. Returns `None` if it is invalid, after adding at least one problem.
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self>;

    /// Returns the value of a missing key, or `None` if the key is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Returns the JSON Schema of the type.
    fn schema() -> Json;
}

/// A value with its source span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Location in the source.
    pub span: SourceSpan,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Scalar> Form for Spanned<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        let value = problems.note(T::parse_node(node)).or_else(|| T::parse_lenient(node))?;
        Some(Self { value, span: node.span.clone() })
    }

    fn schema() -> Json {
        T::schema()
    }
}

impl Form for SyntaxNode {
    fn read(node: &SyntaxNode, _: &mut Problems) -> Option<Self> {
        Some(node.clone())
    }

    fn schema() -> Json {
        json!({})
    }
}

impl<T: Form> Form for Box<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        T::read(node, problems).map(Self::new)
    }

    fn schema() -> Json {
        T::schema()
    }
}

impl<T: Form> Form for Option<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        T::read(node, problems).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn schema() -> Json {
        T::schema()
    }
}

impl<T: Form> Form for Vec<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        let NodeContent::List(items) = &node.content else {
            let problem = unexpected_type(node, "a list");
            problems.push(match node.content {
                NodeContent::Table(_) => problem.help(match header_name(&node.span) {
                    Some(name) => format!("begin each entry with a line `[[{name}]]`"),
                    None => "write each entry as a table with two brackets: `[[…]]`".to_owned(),
                }),
                _ if T::schema()["type"] == "object" => match assigned_name(&node.span) {
                    Some(name) => problem.help(format!(
                        "write each entry as a table that begins with a line `[[{name}]]`"
                    )),
                    None => problem.help("write each entry as a table: `[{ key = value }]`"),
                },
                // Numbers in a list of strings need quotes too.
                NodeContent::Int(_) | NodeContent::Number(_) if T::schema()["type"] == "string" => {
                    let help =
                        format!("write a list with one entry as `[\"{}\"]`", node.span.text());
                    problem.help(help)
                }
                _ => {
                    problem.help(format!("write a list with one entry as `[{}]`", node.span.text()))
                }
            });
            // Continue with the intended list, so that references to its entry are not reported as
            // well. Problems of the entry itself are dropped, because they would be confusing.
            return T::read(node, &mut Problems::new()).map(|one| vec![one]);
        };
        Some(items.iter().filter_map(|item| T::read(item, problems)).collect())
    }

    fn absent() -> Option<Self> {
        Some(Vec::new())
    }

    fn schema() -> Json {
        json!({"type": "array", "items": T::schema()})
    }
}

/// Reads the keys of one table; [`form!`](crate::form) generates code that uses it.
pub struct TableReader<'a> {
    table: &'a Table,
    span: &'a SourceSpan,
    problems: &'a mut Problems,
}

impl<'a> TableReader<'a> {
    /// Creates a reader for a node, or adds a problem with the known keys if the node is not a table.
    pub fn of(node: &'a SyntaxNode, known: &[&str], problems: &'a mut Problems) -> Option<Self> {
        match &node.content {
            NodeContent::Table(table) => Some(Self { table, span: &node.span, problems }),
            _ => {
                let keys = if known.len() > 1 { "keys are" } else { "its key is" };
                problems.push(unexpected_type(node, "a table").help(match node.content {
                    NodeContent::List(_) => {
                        "write a single table: there can be only one here".to_owned()
                    }
                    _ if known.is_empty() => "write a table as `{ key = value }`".to_owned(),
                    _ => {
                        let known = one_of(known.iter().copied());
                        format!("write a table as `{{ key = value }}`; {keys} {known}")
                    }
                }));
                None
            }
        }
    }

    /// Reads the value of a key. Adds a problem if the key is required and missing.
    pub fn take<T: Form>(&mut self, key: &'static str) -> Option<T> {
        if let Some(node) = self.table.get(key) {
            // An invalid value of an optional key must not make the whole table invalid.
            return T::read(node, self.problems).or_else(T::absent);
        }
        let absent = T::absent();
        if absent.is_none() {
            let message = format!("the key `{key}` is missing");
            let mut problem = Problem::at(self.span, code::MISSING_KEY, message);
            let others = self.table.0.iter().map(|(other, _)| other.name.as_str());
            if let Some(other) = nearest(key, others) {
                problem = problem.help(format!("did you mean `{key}` instead of `{other}`?"));
            } else if let Some(words) = T::schema()["enum"].as_array() {
                let words = one_of(words.iter().filter_map(Json::as_str));
                problem = problem.help(format!("add `{key}` with the value {words}"));
            }
            self.problems.push(problem);
        }
        absent
    }

    /// Returns the entries whose keys are not in `known`.
    pub fn others(&self, known: &[&str]) -> Vec<(Key, SyntaxNode)> {
        let is_other = |key: &Key| !known.contains(&key.name.as_str());
        self.table.0.iter().filter(|(key, _)| is_other(key)).cloned().collect()
    }

    /// Adds a problem for each entry whose key is not in `known`.
    pub fn reject_others(&mut self, known: &[&str]) {
        for (key, _) in self.others(known) {
            self.problems.push(unknown_key(&key, known.iter().copied()));
        }
    }
}

/// Maximum number of characters of a key in a message.
const MAX_NAME: usize = 80;

/// Returns the problem of an unknown key, with a suggestion from the known ones.
pub fn unknown_key<'a>(key: &Key, known: impl IntoIterator<Item = &'a str>) -> Problem {
    let message = format!("unknown key `{}`", excerpt(&key.name, MAX_NAME));
    Problem::at(&key.span, code::UNKNOWN_KEY, message).suggest_or_list(&key.name, known)
}

/// A key in the JSON Schema of a table.
pub struct KeySchema {
    /// Name of the key.
    pub name: &'static str,
    /// Description: the doc comment of the field.
    pub doc: &'static str,
    /// Schema of the value.
    pub schema: Json,
    /// True if the key must be present.
    pub required: bool,
}

/// Returns the JSON Schema of a table. An `open` table also accepts other keys.
pub fn table_schema(doc: &str, keys: &[KeySchema], open: bool) -> Json {
    let mut properties = Map::new();
    for key in keys {
        let mut schema = key.schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".into(), key.doc.trim().into());
        }
        properties.insert(key.name.into(), schema);
    }
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({"type": "object", "description": doc.trim(), "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !open {
        schema["additionalProperties"] = json!(false);
    }
    schema
}

/// Declares the keys of a table: generates a struct with its reader and its JSON Schema.
///
/// The doc comments become the descriptions in the schema. The type of a field determines if its
/// key is optional: `Option`, `Vec` and `TableOf` are. `field ("key"): Type` reads a key with
/// another name than the field, such as a Rust keyword. `..rest` collects all other keys.
#[macro_export]
macro_rules! form {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $about:literal])* $field:ident $(($key:literal))? : $type:ty, )*
            $(..$rest:ident)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $name {
            /// Location of the table.
            $vis span: $crate::diag::SourceSpan,
            $( $(#[doc = $about])* $vis $field: $type, )*
            $( /// All other keys.
            $vis $rest: Vec<($crate::diag::Key, $crate::diag::SyntaxNode)>, )?
        }

        impl $name {
            /// Keys that the table may have.
            $vis const KEYS: &'static [&'static str] =
                &[$($crate::form!(@key $field $($key)?)),*];
        }

        impl $crate::diag::Form for $name {
            fn read(
                node: &$crate::diag::SyntaxNode,
                problems: &mut $crate::diag::Problems,
            ) -> Option<Self> {
                let mut fields = $crate::diag::form::TableReader::of(node, Self::KEYS, problems)?;
                $( let $field = fields.take::<$type>($crate::form!(@key $field $($key)?)); )*
                $crate::form!(@others fields $($rest)?);
                Some(Self { span: node.span.clone(), $( $field: $field?, )* $($rest)? })
            }

            fn schema() -> serde_json::Value {
                let doc = concat!("" $(, $doc)*);
                let keys = [$( $crate::diag::form::KeySchema {
                    name: $crate::form!(@key $field $($key)?),
                    doc: concat!("" $(, $about)*),
                    schema: <$type as $crate::diag::Form>::schema(),
                    required: <$type as $crate::diag::Form>::absent().is_none(),
                }, )*];
                $crate::diag::form::table_schema(doc, &keys, $crate::form!(@open $($rest)?))
            }
        }
    };
    (@key $field:ident $key:literal) => { $key };
    (@key $field:ident) => { stringify!($field) };
    (@others $fields:ident $rest:ident) => { let $rest = $fields.others(Self::KEYS); };
    (@others $fields:ident) => { $fields.reject_others(Self::KEYS); };
    (@open $rest:ident) => { true };
    (@open) => { false };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::duration::DurationRange;
    use crate::diag::{Source, toml};
    use crate::string_enum;

    string_enum! {
        /// A colour.
        enum Colour {
            /// Red.
            Red = "red",
            /// Blue.
            Blue = "blue",
        }
    }

    form! {
        /// A sample.
        struct Sample {
            /// The name.
            name: Spanned<String>,
            /// The duration.
            when ("for"): Option<Spanned<DurationRange>>,
            /// The colours.
            colours: Vec<Spanned<Colour>>,
        }
    }

    fn read(text: &str) -> (Option<Sample>, Vec<(String, String)>) {
        let (node, mut problems) = toml::parse(&Source::new("s.toml", text));
        let sample = Sample::read(&node, &mut problems);
        let summary = |problem: Problem| (problem.span.unwrap().short(), problem.message);
        (sample, problems.sorted().into_iter().map(summary).collect())
    }

    #[test]
    fn a_form_reads_its_declared_keys() {
        let (sample, problems) = read("name = 'a'\nfor = '1s..2s'\ncolours = ['blue']\n");
        assert_eq!(problems, []);
        let sample = sample.unwrap();
        assert_eq!((sample.name.as_str(), sample.colours[0].value), ("a", Colour::Blue));
        assert_eq!(sample.when.unwrap().high.as_secs(), 2);
    }

    #[test]
    fn all_problems_of_a_table_are_found_in_one_pass() {
        let (sample, problems) = read("nmae = 'a'\nfor = '3s..2s'\ncolours = ['blu', 1]\n");
        assert_eq!(sample, None);
        let found: Vec<_> = problems.iter().map(|(span, text)| format!("{span} {text}")).collect();
        assert_eq!(
            found,
            [
                "s.toml:1:1 unknown key `nmae`",
                "s.toml:1:1 the key `name` is missing",
                "s.toml:2:7 the start of the range `3s..2s` is greater than its end",
                "s.toml:3:12 expected `red` or `blue`, found `blu`",
                "s.toml:3:19 expected `red` or `blue`, found an integer",
            ]
        );
    }

    #[test]
    fn the_schema_matches_the_declaration() {
        let schema = Sample::schema();
        assert_eq!(schema["required"], json!(["name"]));
        assert_eq!(schema["properties"]["for"]["description"], "The duration.");
        assert_eq!(schema["properties"]["colours"]["items"], json!({"enum": ["red", "blue"]}));
        assert_eq!(schema["additionalProperties"], false);
    }
}
