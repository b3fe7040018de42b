//! JSON style: spaces between tokens, and escapes for characters outside ASCII.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::value::Value;

crate::string_enum! {
    /// Spaces between the tokens of JSON.
    pub enum JsonSpacing {
        /// No spaces: `{"a":1,"b":2}`.
        Compact = "compact",
        /// A space after colons and commas, as in Python: `{"a": 1, "b": 2}`.
        Spaced = "spaced",
    }
}

/// JSON style of a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonStyle {
    /// Spaces between tokens.
    pub spacing: JsonSpacing,
    /// Write characters outside ASCII as `\u…`.
    pub ascii: bool,
}

impl JsonStyle {
    /// No spaces, UTF-8 without escapes.
    pub const COMPACT: Self = Self { spacing: JsonSpacing::Compact, ascii: false };

    /// Returns the separator between two elements.
    pub fn comma(self) -> &'static str {
        match self.spacing {
            JsonSpacing::Compact => ",",
            JsonSpacing::Spaced => ", ",
        }
    }

    /// Returns the separator between a key and its value.
    pub fn colon(self) -> &'static str {
        match self.spacing {
            JsonSpacing::Compact => ":",
            JsonSpacing::Spaced => ": ",
        }
    }

    /// Writes a string with quotes.
    pub fn write_string(self, text: &str, out: &mut String) {
        out.push('"');
        self.write_escaped(text, out);
        out.push('"');
    }

    /// Writes the content of a string, escaped, without quotes.
    pub fn write_escaped(self, text: &str, out: &mut String) {
        let mut rest = text;
        // Most texts need no escape, so that they are copied at once.
        while let Some(at) = rest.bytes().position(|byte| self.must_escape(byte)) {
            let (plain, special) = rest.split_at(at);
            out.push_str(plain);
            let mut characters = special.chars();
            match characters.next().unwrap_or_default() {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                character => escape(character, out),
            }
            rest = characters.as_str();
        }
        out.push_str(rest);
    }

    /// Returns whether a character that begins with this byte is written as an escape. JSON requires that
    /// of every control character below U+0020.
    fn must_escape(self, byte: u8) -> bool {
        matches!(byte, b'"' | b'\\' | 0..0x20) || (self.ascii && !byte.is_ascii())
    }

    /// Writes a value. Values without a JSON form are written as `null`.
    pub fn write_value(self, value: &Value<'_>, out: &mut String) {
        match value {
            // The compiler rejects templates that would write one of these.
            Value::Absent | Value::Object(_) | Value::Pair(..) => out.push_str("null"),
            Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Value::Int(int) => {
                let _ = write!(out, "{int}");
            }
            Value::Text(text) => self.write_string(text, out),
            Value::Time(time) => self.write_string(&time.to_string(), out),
            Value::List(items) => self.list(items, out, |item, out| self.write_value(item, out)),
            Value::Json(json) => self.write_json(json, out),
        }
    }

    /// Writes a JSON value.
    pub fn write_json(self, json: &Json, out: &mut String) {
        match json {
            Json::String(text) => self.write_string(text, out),
            Json::Array(items) => self.list(items, out, |item, out| self.write_json(item, out)),
            Json::Object(entries) => {
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        out.push_str(self.comma());
                    }
                    self.write_string(key, out);
                    out.push_str(self.colon());
                    self.write_json(value, out);
                }
                out.push('}');
            }
            scalar => {
                let _ = write!(out, "{scalar}");
            }
        }
    }

    /// Formats a JSON value.
    pub fn format(self, json: &Json) -> Cow<'static, str> {
        let mut out = String::new();
        self.write_json(json, &mut out);
        Cow::Owned(out)
    }

    fn list<T>(self, items: &[T], out: &mut String, write: impl Fn(&T, &mut String)) {
        out.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_str(self.comma());
            }
            write(item, out);
        }
        out.push(']');
    }
}

/// Writes a character as one or two UTF-16 units, with lower-case digits, as Python does.
fn escape(character: char, out: &mut String) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(style: JsonStyle, expected: &str) {
        let json = serde_json::json!({"a": ["ü🙂\n\u{1}", null, 1.5], "b": {}});
        assert_eq!(style.format(&json), expected);
    }

    #[test]
    fn each_style_writes_what_its_vendors_write() {
        check(JsonStyle::COMPACT, r#"{"a":["ü🙂\n\u0001",null,1.5],"b":{}}"#);
        let python = JsonStyle { spacing: JsonSpacing::Spaced, ascii: true };
        check(python, r#"{"a": ["\u00fc\ud83d\ude42\n\u0001", null, 1.5], "b": {}}"#);
    }
}
