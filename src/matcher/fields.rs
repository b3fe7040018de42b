//! Matchers of the fields of a response or a call: of its body by JSON pointer, of others by name.

use serde_json::{Map, Value as Json, json};

use super::condition::Matcher;
use crate::diag::{Form, Key, Problem, Problems, SourceSpan, SyntaxNode, TableOf, code};
use crate::record::Mismatch;

/// Matchers of a JSON document, by JSON pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointerMatchers(Vec<(String, Matcher)>);

/// Matchers of headers, by name. The case of a name does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMatchers(Vec<(String, Matcher)>);

/// Matchers of a call: of its named values, or of its body by JSON pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueMatchers(Vec<(Key, Matcher)>);

impl ValueMatchers {
    /// Returns the names and pointers of the values.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Returns the matchers with other values in place of the texts for which `replace` has one.
    #[must_use]
    pub fn with_texts(&self, replace: &dyn Fn(&str) -> Option<Json>) -> Self {
        Self(with_texts(&self.0, replace))
    }

    /// Returns the mismatches of the named values and the body of a call.
    pub fn mismatches(&self, fields: &Map<String, Json>, body: &Json) -> Vec<Mismatch> {
        let of_value = |(key, matcher): &(Key, Matcher)| {
            matcher.mismatches(&field_name(&key.name), value_at(&key.name, fields, body))
        };
        self.0.iter().flat_map(of_value).collect()
    }
}

fn with_texts<K: Clone>(
    matchers: &[(K, Matcher)],
    replace: &dyn Fn(&str) -> Option<Json>,
) -> Vec<(K, Matcher)> {
    matchers.iter().map(|(key, matcher)| (key.clone(), matcher.with_texts(replace))).collect()
}

/// Returns the value of a call at a place: a name, or a JSON pointer into its body.
pub fn value_at<'a>(
    place: &str,
    fields: &'a Map<String, Json>,
    body: &'a Json,
) -> Option<&'a Json> {
    if is_pointer(place) { body.pointer(place) } else { fields.get(place) }
}

/// Returns the place of a value for messages.
pub fn field_name(place: &str) -> String {
    match place {
        "" => "body".to_owned(),
        pointer if is_pointer(pointer) => format!("body `{pointer}`"),
        name => format!("`{name}`"),
    }
}

/// Returns whether the place of a value is a JSON pointer, not a name.
pub fn is_pointer(place: &str) -> bool {
    place.is_empty() || place.starts_with('/')
}

impl PointerMatchers {
    /// Returns whether there are no matchers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the matchers with other values in place of the texts for which `replace` has one.
    #[must_use]
    pub fn with_texts(&self, replace: &dyn Fn(&str) -> Option<Json>) -> Self {
        Self(with_texts(&self.0, replace))
    }

    /// Returns the mismatches of a document. `None` is an empty body, which has no field.
    pub fn mismatches(&self, document: Option<&Json>) -> Vec<Mismatch> {
        let of_field = |(pointer, matcher): &(String, Matcher)| {
            let value = document.and_then(|document| document.pointer(pointer));
            matcher.mismatches(&field_name(pointer), value)
        };
        self.0.iter().flat_map(of_field).collect()
    }
}

impl HeaderMatchers {
    /// Returns the matchers with other values in place of the texts for which `replace` has one.
    #[must_use]
    pub fn with_texts(&self, replace: &dyn Fn(&str) -> Option<Json>) -> Self {
        Self(with_texts(&self.0, replace))
    }

    /// Returns the mismatches of headers. Several headers of one name are one list.
    pub fn mismatches(&self, headers: &[(String, String)]) -> Vec<Mismatch> {
        let of_header = |(name, matcher): &(String, Matcher)| {
            let values = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
            let value = (!values.is_empty()).then(|| values.join(", "));
            matcher.mismatches_in_text(&format!("header `{name}`"), value.as_deref())
        };
        self.0.iter().flat_map(of_header).collect()
    }
}

impl Form for PointerMatchers {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        read_by_name(node, |key| check_pointer(&key.name, &key.span), problems).map(Self)
    }

    fn schema() -> Json {
        schema_of_fields("^(/([^~]|~[01])*)?$")
    }
}

impl Form for ValueMatchers {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        let check = |key: &Key| {
            if is_pointer(&key.name) { check_pointer(&key.name, &key.span) } else { Ok(()) }
        };
        read_fields(node, check, problems).map(Self)
    }

    fn schema() -> Json {
        schema_of_fields("^((/([^~]|~[01])*)?|[^/].*)$")
    }
}

impl Form for HeaderMatchers {
    fn read(node: &SyntaxNode, problems: &mut Problems) -> Option<Self> {
        read_by_name(node, check_header_name, problems).map(Self)
    }

    fn schema() -> Json {
        schema_of_fields("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
    }
}

fn schema_of_fields(pattern: &str) -> Json {
    json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": pattern},
        "additionalProperties": Matcher::schema(),
    })
}

fn read_by_name(
    node: &SyntaxNode,
    check_key: fn(&Key) -> Result<(), Problem>,
    problems: &mut Problems,
) -> Option<Vec<(String, Matcher)>> {
    let fields = read_fields(node, check_key, problems)?;
    Some(fields.into_iter().map(|(key, matcher)| (key.name, matcher)).collect())
}

fn read_fields(
    node: &SyntaxNode,
    check_key: fn(&Key) -> Result<(), Problem>,
    problems: &mut Problems,
) -> Option<Vec<(Key, Matcher)>> {
    let table = TableOf::<Matcher>::read(node, problems)?;
    if table.0.is_empty() {
        let problem = Problem::at(&node.span, code::EMPTY, "the table has no matcher");
        problems.push(problem.help("add a field and its value, or remove the key"));
    }
    for (key, _) in &table.0 {
        problems.note(check_key(key));
    }
    Some(table.iter().map(|(key, matcher)| (key.clone(), matcher.clone())).collect())
}

/// Reports a text that is not a JSON pointer.
///
/// # Errors
///
/// Returns the problem at the span.
pub fn check_pointer(pointer: &str, span: &SourceSpan) -> Result<(), Problem> {
    let is_escaped = |rest: &str| rest.starts_with(['0', '1']);
    let is_valid = (pointer.is_empty() || pointer.starts_with('/'))
        && pointer.split('~').skip(1).all(is_escaped);
    if is_valid {
        return Ok(());
    }
    let message = format!("`{pointer}` is not a JSON pointer");
    let problem = Problem::at(span, code::INVALID_POINTER, message);
    Err(if pointer.starts_with('/') {
        problem.help("write `~0` for `~` and `~1` for `/` in a key")
    } else {
        let path = pointer.trim_start_matches("$.").replace('.', "/");
        problem.help(format!("did you mean `\"/{path}\"`?"))
    })
}

/// Reports a name that no header can have.
fn check_header_name(key: &Key) -> Result<(), Problem> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !key.name.is_empty() && key.name.chars().all(is_token) {
        return Ok(());
    }
    let message = format!("`{}` is not the name of a header", key.name);
    let problem = Problem::at(&key.span, code::INVALID_HEADER, message);
    Err(problem.help("write the name alone, such as `Content-Type`"))
}
