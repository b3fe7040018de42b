//! Contents that receivers sign by mistake instead of the raw request body.

use serde_json::Value as Json;

use crate::template::{JsonSpacing, JsonStyle};

/// The default output of Python's `json.dumps`.
pub(super) const PYTHON: JsonStyle = JsonStyle { spacing: JsonSpacing::Spaced, ascii: true };
const COMPACT_ASCII: JsonStyle = JsonStyle { spacing: JsonSpacing::Compact, ascii: true };
const SPACED: JsonStyle = JsonStyle { spacing: JsonSpacing::Spaced, ascii: false };

/// A body or content that a receiver signs by mistake, with a phrase that follows "computed".
pub(super) struct Altered<T> {
    pub(super) computed: String,
    pub(super) value: T,
}

impl<T> Altered<T> {
    pub(super) fn new(computed: impl Into<String>, value: T) -> Self {
        Self { computed: computed.into(), value }
    }
}

/// Returns the bodies that receivers sign by mistake, the most common mistakes first.
pub(super) fn altered_bodies(body: &str) -> Vec<Altered<String>> {
    let mut bodies = Vec::new();
    if let Ok(json) = serde_json::from_str::<Json>(body) {
        let parsed = serializations(&json).into_iter().map(|(call, text)| {
            Altered::new(format!("over {call}; sign the raw request body instead"), text)
        });
        bodies.extend(parsed);
    }
    // What JavaScript makes of an object where a text is expected.
    bodies.push(Altered::new(
        "over `[object Object]`, a parsed body as text",
        "[object Object]".into(),
    ));
    bodies.push(Altered::new("over an empty body", String::new()));
    bodies.push(Altered::new("over the body with a newline at the end", format!("{body}\n")));
    bodies
}

/// Returns what common JSON libraries write for a parsed body, by call.
fn serializations(json: &Json) -> Vec<(&'static str, String)> {
    let written = |style: JsonStyle| style.format(json).into_owned();
    // `/`, `<`, `>` and `&` occur only inside the strings of a JSON text.
    let php = written(COMPACT_ASCII).replace('/', "\\/");
    let mut sorted = json.clone();
    sorted.sort_all_objects();
    vec![
        ("JSON.stringify(parsed body)", written(JsonStyle::COMPACT)),
        ("json.dumps(parsed body)", written(PYTHON)),
        (
            "JSON.stringify(parsed body, null, 2)",
            serde_json::to_string_pretty(json).unwrap_or_default(),
        ),
        ("json.dumps(parsed body, separators=(\",\", \":\"))", written(COMPACT_ASCII)),
        ("json.dumps(parsed body, ensure_ascii=False)", written(SPACED)),
        ("json_encode(parsed body)", php),
        ("json.Marshal(parsed body)", go(&written(JsonStyle::COMPACT))),
        // Go writes the keys of a map in alphabetical order.
        ("json.Marshal(body parsed as a map)", go(&JsonStyle::COMPACT.format(&sorted))),
    ]
}

/// Escapes a JSON text as Go's `json.Marshal` does, so that HTML can contain it.
fn go(text: &str) -> String {
    text.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// Returns the bytes that receivers sign by mistake for a text with characters outside ASCII.
pub(super) fn altered_encodings(text: &str) -> Vec<Altered<Vec<u8>>> {
    let encoded = |limit: u32| -> Vec<u8> {
        let byte = |c: char| u8::try_from(c).ok().filter(|_| u32::from(c) < limit);
        text.chars().map(|c| byte(c).unwrap_or(b'?')).collect()
    };
    let decoded: String = text.bytes().map(char::from).collect();
    vec![
        // The result of encoding with replacement, such as Java's `getBytes(US_ASCII)`.
        Altered::new(
            "over the body in ASCII, with `?` in place of other characters",
            encoded(0x80),
        ),
        Altered::new("over the body in Latin-1 instead of UTF-8", encoded(0x100)),
        Altered::new("over the body decoded as Latin-1 instead of UTF-8", decoded.into_bytes()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_library_writes_its_own_json() {
        let json = serde_json::json!({"b": "é<a/>&", "a": [1, {}]});
        let written = |call: &str| {
            let all = serializations(&json);
            all.into_iter().find(|(name, _)| name.starts_with(call)).unwrap().1
        };
        assert_eq!(written("json_encode"), r#"{"b":"\u00e9<a\/>&","a":[1,{}]}"#);
        assert_eq!(written("json.Marshal(parsed"), r#"{"b":"é\u003ca/\u003e\u0026","a":[1,{}]}"#);
        assert_eq!(written("json.Marshal(body"), r#"{"a":[1,{}],"b":"é\u003ca/\u003e\u0026"}"#);
        assert_eq!(
            written("JSON.stringify(parsed body, null"),
            "{\n  \"b\": \"é<a/>&\",\n  \"a\": [\n    1,\n    {}\n  ]\n}"
        );
    }
}
