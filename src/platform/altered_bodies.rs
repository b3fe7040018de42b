//! Contents that receivers sign by mistake instead of the raw request body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
    /// Whether receivers often make this mistake.
    pub(super) is_likely: bool,
}

impl<T> Altered<T> {
    pub(super) fn new(computed: impl Into<String>, value: T) -> Self {
        Self { computed: computed.into(), value, is_likely: false }
    }

    /// Marks a mistake as one that receivers often make.
    pub(super) fn likely(self) -> Self {
        self.likely_if(true)
    }

    /// Replaces the value.
    pub(super) fn map<U>(self, value: impl FnOnce(T) -> U) -> Altered<U> {
        let Self { computed, value: own, is_likely } = self;
        Altered { computed, value: value(own), is_likely }
    }

    /// Marks a mistake as one that receivers often make, if the condition holds.
    pub(super) fn likely_if(self, is_likely: bool) -> Self {
        Self { is_likely, ..self }
    }
}

/// Returns the bodies that receivers sign by mistake, the most common mistakes first.
pub(super) fn altered_bodies(body: &str) -> Vec<Altered<String>> {
    let mut bodies = Vec::new();
    if let Ok(json) = serde_json::from_str::<Json>(body) {
        let parsed = serializations(&json).into_iter().map(|(call, text)| {
            let computed = format!("over {call}; sign the raw request body instead");
            // A call without options is what most receivers use.
            Altered::new(computed, text).likely_if(call.ends_with("(parsed body)"))
        });
        bodies.extend(parsed);
    }
    // What JavaScript makes of an object where a text is expected.
    bodies.push(
        Altered::new("over `[object Object]`, a parsed body as text", "[object Object]".into())
            .likely(),
    );
    bodies.push(Altered::new("over an empty body", String::new()).likely());
    bodies.push(Altered::new("over the body with a newline at the end", format!("{body}\n")));
    bodies.push(Altered::new(
        "over JSON.stringify(body), where the body is text already",
        JsonStyle::COMPACT.format(&Json::from(body)).into_owned(),
    ));
    let bytes: Vec<String> = body.bytes().map(|byte| byte.to_string()).collect();
    bodies.push(Altered::new(
        "over JSON.stringify(body), where the body is a Buffer",
        format!("{{\"type\":\"Buffer\",\"data\":[{}]}}", bytes.join(",")),
    ));
    bodies.push(Altered::new(
        "over str(body), where the body is bytes of Python",
        python_bytes(body),
    ));
    // AWS Lambda passes bodies like this if they may be binary.
    bodies.push(Altered::new("over the body in base64; decode it first", STANDARD.encode(body)));
    bodies
}

/// Returns what Python's `str` makes of the bytes of a text.
fn python_bytes(text: &str) -> String {
    // Python prefers single quotes, unless the text has only those.
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = format!("b{quote}");
    for byte in text.bytes() {
        match byte {
            b'\n' => shown.push_str("\\n"),
            b'\r' => shown.push_str("\\r"),
            b'\t' => shown.push_str("\\t"),
            b'\\' => shown.push_str("\\\\"),
            b'\'' if quote == '\'' => shown.push_str("\\'"),
            b' '..=b'~' => shown.push(char::from(byte)),
            _ => shown.push_str(&format!("\\x{byte:02x}")),
        }
    }
    shown.push(quote);
    shown
}

/// Returns what common JSON libraries write for a parsed body, by call.
fn serializations(json: &Json) -> Vec<(&'static str, String)> {
    let written = |style: JsonStyle| style.format(json).into_owned();
    // `/`, `<`, `>` and `&` occur only inside the strings of a JSON text.
    let slashes = |style: JsonStyle| written(style).replace('/', "\\/");
    let mut sorted = json.clone();
    sorted.sort_all_objects();
    let sorted = |style: JsonStyle| style.format(&sorted).into_owned();
    vec![
        ("JSON.stringify(parsed body)", written(JsonStyle::COMPACT)),
        ("json.dumps(parsed body)", written(PYTHON)),
        (
            "JSON.stringify(parsed body, null, 2)",
            serde_json::to_string_pretty(json).unwrap_or_default(),
        ),
        ("json.dumps(parsed body, separators=(\",\", \":\"))", written(COMPACT_ASCII)),
        ("json.dumps(parsed body, ensure_ascii=False)", written(SPACED)),
        ("json.dumps(parsed body, sort_keys=True)", sorted(PYTHON)),
        ("the parsed body as JSON with sorted keys", sorted(JsonStyle::COMPACT)),
        ("json_encode(parsed body)", slashes(COMPACT_ASCII)),
        ("json_encode(parsed body, JSON_UNESCAPED_UNICODE)", slashes(JsonStyle::COMPACT)),
        ("json.Marshal(parsed body)", go(&written(JsonStyle::COMPACT))),
        // Go writes the keys of a map in alphabetical order.
        ("json.Marshal(body parsed as a map)", go(&sorted(JsonStyle::COMPACT))),
        ("json.NewEncoder(…).Encode(body parsed as a map)", go(&sorted(JsonStyle::COMPACT)) + "\n"),
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
        )
        .likely(),
        Altered::new("over the body in Latin-1 instead of UTF-8", encoded(0x100)),
        // Libraries that encode each half of a surrogate pair, as old ones for JavaScript do.
        Altered::new("over the body with emoji encoded as surrogates (CESU-8)", surrogates(text)),
        Altered::new("over the body decoded as Latin-1 instead of UTF-8", decoded.into_bytes()),
    ]
}

/// Returns a text in CESU-8: characters beyond U+FFFF are two surrogates of three bytes each.
fn surrogates(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        let mut units = [0; 2];
        match character.encode_utf16(&mut units) {
            [_] => bytes.extend(character.to_string().bytes()),
            pair => {
                for unit in pair.iter() {
                    let part = |shift: u16, mask: u16| (unit >> shift & mask).to_le_bytes()[0];
                    bytes.extend([
                        0xe0 | part(12, 0xf),
                        0x80 | part(6, 0x3f),
                        0x80 | part(0, 0x3f),
                    ]);
                }
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_python_shows_them() {
        for (text, shown) in [
            ("{\"a\": \"é\\n'\"}\n", r#"b'{"a": "\xc3\xa9\\n\'"}\n'"#),
            ("it's", "b\"it's\""),
            ("", "b''"),
        ] {
            assert_eq!(python_bytes(text), shown);
        }
    }

    #[test]
    fn emoji_are_surrogates_in_cesu_8() {
        assert_eq!(surrogates("é🙇y"), b"\xc3\xa9\xed\xa0\xbd\xed\xb9\x87y");
    }

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
        assert_eq!(written("json_encode(parsed body, JSON"), r#"{"b":"é<a\/>&","a":[1,{}]}"#);
        assert_eq!(
            written("json.dumps(parsed body, sort"),
            r#"{"a": [1, {}], "b": "\u00e9<a/>&"}"#
        );
        assert_eq!(written("the parsed body as JSON"), r#"{"a":[1,{}],"b":"é<a/>&"}"#);
        assert_eq!(
            written("JSON.stringify(parsed body, null"),
            "{\n  \"b\": \"é<a/>&\",\n  \"a\": [\n    1,\n    {}\n  ]\n}"
        );
    }
}
