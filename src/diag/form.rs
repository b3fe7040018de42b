//! Forms: what a table of a file may hold, said once.
//!
//! [`form!`](crate::form) declares a struct; from the declaration come the struct, the reader that
//! finds every problem of the table in one pass, and the JSON Schema that editors complete from.
//! A serde derive would stop at the first problem and lose places inside enums.

use std::ops::Deref;

use jiff::SignedDuration;
use serde_json::{Map, Value as Json, json};

use crate::base::duration::{self, DurationRange};
use crate::base::text::nearest;
use crate::diag::code;
use crate::diag::node::{Key, NodeContent, SyntaxNode, Table};
use crate::diag::problem::{Problem, Problems};
use crate::diag::source::SourceSpan;

/// Something that can be read from a file.
pub trait Form: Sized {
    /// Reads it; nothing where it is not there as it should be, and then the problems say why.
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self>;

    /// What it is where its key is left out; nothing for a key that must be there.
    fn absent() -> Option<Self> {
        None
    }

    /// Its JSON Schema.
    fn schema() -> Json;
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: SourceSpan,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A value without parts.
pub trait Scalar: Sized {
    /// Reads it from a node.
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem>;

    /// Its JSON Schema.
    fn schema() -> Json;

    /// What was most likely meant by one that could not be read: it takes its place, so that the
    /// rest of the file is checked as well.
    fn parse_lenient(_node: &SyntaxNode) -> Option<Self> {
        None
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

impl Scalar for String {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        if let Some(text) = node.as_text() {
            return Ok(text.to_owned());
        }
        let problem = wrong_type(node, "a text");
        Err(match node.content {
            NodeContent::Bool(_) | NodeContent::Int(_) | NodeContent::Number(_) => {
                problem.help(format!("in quotes it is a text: `\"{}\"`", node.span.text()))
            }
            _ => problem,
        })
    }

    fn schema() -> Json {
        json!({"type": "string"})
    }

    fn parse_lenient(node: &SyntaxNode) -> Option<Self> {
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
            _ => Err(wrong_type(node, "true or false")),
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
            _ => Err(wrong_type(node, "an integer")),
        }
    }

    fn schema() -> Json {
        json!({"type": "integer"})
    }
}

/// A non-negative integer, such as a seed.
impl Scalar for u64 {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        match node.content {
            NodeContent::Int(int) if int >= 0 => Ok(int.unsigned_abs()),
            NodeContent::Int(int) => {
                let message = format!("expected an integer from 0 up, found {int}");
                Err(Problem::at(&node.span, code::WRONG_TYPE, message))
            }
            _ => Err(wrong_type(node, "an integer from 0 up")),
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
        json!({"type": "string", "pattern": r"^\s*\d.*(\.\.\s*\d.*)?$", "examples": ["250ms", "1s..3s"]})
    }

    fn parse_lenient(_: &SyntaxNode) -> Option<Self> {
        DurationRange::parse("1s").ok()
    }
}

impl Scalar for SignedDuration {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        duration_from(node, duration::parse)
    }

    fn schema() -> Json {
        json!({"type": "string", "pattern": r"^\s*\d", "examples": ["250ms", "2s", "1m 30s"]})
    }

    fn parse_lenient(_: &SyntaxNode) -> Option<Self> {
        Some(Self::from_secs(1))
    }
}

fn duration_from<T>(node: &SyntaxNode, parse: fn(&str) -> Result<T, String>) -> Result<T, Problem> {
    let problem = |message| Problem::at(&node.span, code::WRONG_DURATION, message);
    let Some(text) = node.as_text() else {
        let problem = problem(format!("expected a duration, found {}", node.kind()));
        return Err(problem.help("write a duration as a text, such as \"250ms\" or \"2s\""));
    };
    parse(text).map_err(problem)
}

impl Form for SyntaxNode {
    fn read(node: &SyntaxNode, _: &mut Problems) -> Option<Self> {
        Some(node.clone())
    }

    fn schema() -> Json {
        json!({})
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
            let problem = wrong_type(node, "a list");
            problems.push(match node.content {
                NodeContent::Table(_) => {
                    problem.help("each of them stands under `[[…]]`, in two brackets")
                }
                _ => problem.help(format!("a list of one is `[{}]`", node.span.text())),
            });
            // It goes on as the list that was meant, so that nothing else is told for its lack.
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

/// A list with at least one entry; one that means "all of them" is left out instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonEmpty<T>(Vec<T>);

impl<T> Deref for NonEmpty<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Form> Form for NonEmpty<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        if matches!(&node.content, NodeContent::List(items) if items.is_empty()) {
            let problem = Problem::at(&node.span, code::EMPTY, "the list is empty");
            problems.push(problem.help("name at least one"));
            return None;
        }
        Vec::read(node, problems).map(Self)
    }

    fn schema() -> Json {
        json!({"type": "array", "items": T::schema(), "minItems": 1})
    }
}

/// One entry, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMore<T>(Vec<T>);

impl<T> Deref for OneOrMore<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Form> Form for OneOrMore<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        match node.content {
            NodeContent::List(_) => NonEmpty::read(node, problems).map(|list| Self(list.0)),
            _ => T::read(node, problems).map(|one| Self(vec![one])),
        }
    }

    fn schema() -> Json {
        json!({"anyOf": [T::schema(), NonEmpty::<T>::schema()]})
    }
}

/// Entries under names of the author's choice, in the order of the file. An entry that could not
/// be read keeps its name, so that what refers to it is not reported as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOf<T>(pub Vec<(Key, Option<T>)>);

impl<T> TableOf<T> {
    /// The entries that could be read.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &T)> {
        self.0.iter().filter_map(|(key, entry)| entry.as_ref().map(|entry| (key, entry)))
    }

    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.iter().find(|(key, _)| key.name == name).map(|(_, entry)| entry)
    }

    /// Whether there is an entry of this name, readable or not.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key.name == name)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.name.as_str())
    }
}

impl TableOf<SyntaxNode> {
    /// The entries as those of a table.
    pub fn entries(&self) -> Vec<(Key, SyntaxNode)> {
        self.iter().map(|(key, node)| (key.clone(), node.clone())).collect()
    }

    /// The entries without places.
    pub fn to_json(&self) -> Map<String, Json> {
        self.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect()
    }
}

impl<T> Default for TableOf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Form> Form for TableOf<T> {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        let Some(table) = node.as_table() else {
            problems.push(wrong_type(node, "a table").help(match node.content {
                NodeContent::List(_) => "each of them stands under a name of its own: `[….NAME]`",
                _ => "a table is `{ name = value }`",
            }));
            return None;
        };
        let read = |(key, node): &(Key, SyntaxNode)| (key.clone(), T::read(node, problems));
        Some(Self(table.0.iter().map(read).collect()))
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn schema() -> Json {
        json!({"type": "object", "additionalProperties": T::schema()})
    }
}

/// A problem about a value of the wrong type.
pub fn wrong_type(node: &SyntaxNode, expected: &str) -> Problem {
    let message = format!("expected {expected}, found {}", node.kind());
    Problem::at(&node.span, code::WRONG_TYPE, message)
}

/// Reads the keys of one table.
pub struct TableReader<'a> {
    table: &'a Table,
    span: &'a SourceSpan,
    problems: &'a mut Problems,
}

impl<'a> TableReader<'a> {
    /// The fields of a node, where it is a table.
    pub fn of(node: &'a SyntaxNode, problems: &'a mut Problems) -> Option<Self> {
        match &node.content {
            NodeContent::Table(table) => Some(Self { table, span: &node.span, problems }),
            _ => {
                problems.push(wrong_type(node, "a table").help(match node.content {
                    NodeContent::List(_) => "there is only one of it here",
                    _ => "a table is `{ key = value }`",
                }));
                None
            }
        }
    }

    /// Reads the value of a key.
    pub fn take<T: Form>(&mut self, key: &'static str) -> Option<T> {
        if let Some(node) = self.table.get(key) {
            // What could be left out does not take the whole table with it when it is wrong.
            return T::read(node, self.problems).or_else(T::absent);
        }
        let absent = T::absent();
        if absent.is_none() {
            let message = format!("the key `{key}` is missing");
            let mut problem = Problem::at(self.span, code::MISSING_KEY, message);
            let others = self.table.0.iter().map(|(other, _)| other.name.as_str());
            if let Some(other) = nearest(key, others) {
                problem = problem.help(format!("is `{other}` meant to be `{key}`?"));
            }
            self.problems.push(problem);
        }
        absent
    }

    /// The entries under other keys than these.
    pub fn others(&self, known: &[&str]) -> Vec<(Key, SyntaxNode)> {
        let is_other = |key: &Key| !known.contains(&key.name.as_str());
        self.table.0.iter().filter(|(key, _)| is_other(key)).cloned().collect()
    }

    /// Reports the entries under other keys than these.
    pub fn refuse_others(&mut self, known: &[&str]) {
        for (key, _) in self.others(known) {
            self.problems.push(unknown_key(&key, known.iter().copied()));
        }
    }
}

/// A problem about a key that nothing reads.
pub fn unknown_key<'a>(key: &Key, known: impl IntoIterator<Item = &'a str>) -> Problem {
    Problem::at(&key.span, code::UNKNOWN_KEY, format!("unknown key `{}`", key.name))
        .known(&key.name, known)
}

/// The schema of a table: its doc, its keys with their schema and whether they must be there.
pub fn table_schema(doc: &str, keys: &[(&str, &str, Json, bool)], open: bool) -> Json {
    let mut properties = Map::new();
    for (key, doc, schema, _) in keys {
        let mut schema = schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".into(), doc.trim().into());
        }
        properties.insert((*key).into(), schema);
    }
    let required: Vec<&str> = keys.iter().filter(|key| key.3).map(|key| key.0).collect();
    let mut schema = json!({"type": "object", "description": doc.trim(), "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if !open {
        schema["additionalProperties"] = json!(false);
    }
    schema
}

/// Declares what a table may hold: a struct with its reader and its schema.
///
/// A field's type says whether its key may be left out (`Option`, `Vec` and `Named` may).
/// `field ("key"): Type` names a key that is no identifier; `..rest` takes all other keys.
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
            /// Where the table stands.
            $vis span: $crate::diag::SourceSpan,
            $( $(#[doc = $about])* $vis $field: $type, )*
            $( /// All other keys.
            $vis $rest: Vec<($crate::diag::Key, $crate::diag::SyntaxNode)>, )?
        }

        impl $name {
            /// The keys that the table may have.
            $vis const KEYS: &'static [&'static str] =
                &[$($crate::form!(@key $field $($key)?)),*];
        }

        impl $crate::diag::Form for $name {
            fn read(node: &$crate::diag::SyntaxNode, problems: &mut $crate::diag::Problems) -> Option<Self> {
                let mut fields = $crate::diag::form::TableReader::of(node, problems)?;
                $( let $field = fields.take::<$type>($crate::form!(@key $field $($key)?)); )*
                $crate::form!(@others fields $($rest)?);
                Some(Self { span: node.span.clone(), $( $field: $field?, )* $($rest)? })
            }

            fn schema() -> serde_json::Value {
                let doc = concat!("" $(, $doc)*);
                let keys = [$( (
                    $crate::form!(@key $field $($key)?),
                    concat!("" $(, $about)*),
                    <$type as $crate::diag::Form>::schema(),
                    <$type as $crate::diag::Form>::absent().is_none(),
                ), )*];
                $crate::diag::form::table_schema(doc, &keys, $crate::form!(@open $($rest)?))
            }
        }
    };
    (@key $field:ident $key:literal) => { $key };
    (@key $field:ident) => { stringify!($field) };
    (@others $fields:ident $rest:ident) => { let $rest = $fields.others(Self::KEYS); };
    (@others $fields:ident) => { $fields.refuse_others(Self::KEYS); };
    (@open $rest:ident) => { true };
    (@open) => { false };
}

#[cfg(test)]
mod tests {
    use super::*;
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
            /// How it is called.
            name: Spanned<String>,
            /// When.
            when ("for"): Option<Spanned<DurationRange>>,
            /// Which.
            colours: Vec<Spanned<Colour>>,
        }
    }

    fn read(text: &str) -> (Option<Sample>, Vec<(String, String)>) {
        let (node, mut problems) = toml::parse(&Source::new("s.toml", text));
        let sample = Sample::read(&node, &mut problems);
        let told = |problem: Problem| (problem.span.unwrap().short(), problem.message);
        (sample, problems.sorted().into_iter().map(told).collect())
    }

    #[test]
    fn a_form_reads_what_it_declares() {
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
        let told: Vec<_> = problems.iter().map(|(span, told)| format!("{span} {told}")).collect();
        assert_eq!(
            told,
            [
                "s.toml:1:1 unknown key `nmae`",
                "s.toml:1:1 the key `name` is missing",
                "s.toml:2:7 the range `3s..2s` ends before it begins",
                "s.toml:3:12 `blu` is not `red` or `blue`",
                "s.toml:3:19 expected a text, found an integer",
            ]
        );
    }

    #[test]
    fn the_schema_says_the_same() {
        let schema = Sample::schema();
        assert_eq!(schema["required"], json!(["name"]));
        assert_eq!(schema["properties"]["for"]["description"], "When.");
        assert_eq!(schema["properties"]["colours"]["items"], json!({"enum": ["red", "blue"]}));
        assert_eq!(schema["additionalProperties"], false);
    }
}
