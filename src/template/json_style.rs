//! How JSON is spelled: with or without spaces, raw or ASCII only.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::value::Value;

crate::string_enum! {
    /// Where the spaces of a JSON text are.
    pub enum JsonSpacing {
        /// Nowhere: `{"a":1,"b":2}`.
        Compact = "compact",
        /// Behind colons and commas, as Python writes: `{"a": 1, "b": 2}`.
        Spaced = "spaced",
    }
}

/// How a vendor spells JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonStyle {
    /// Where the spaces are.
    pub spacing: JsonSpacing,
    /// Whether what is not ASCII is written as `\u…`.
    pub ascii: bool,
}

impl JsonStyle {
    /// Without spaces, raw UTF-8.
    pub const COMPACT: Self = Self { spacing: JsonSpacing::Compact, ascii: false };

    /// What stands between two elements.
    pub fn comma(self) -> &'static str {
        match self.spacing {
            JsonSpacing::Compact => ",",
            JsonSpacing::Spaced => ", ",
        }
    }

    /// What stands between a key and its value.
    pub fn colon(self) -> &'static str {
        match self.spacing {
            JsonSpacing::Compact => ":",
            JsonSpacing::Spaced => ": ",
        }
    }

    /// Writes a text with its quotes.
    pub fn string(self, text: &str, out: &mut String) {
        out.push('"');
        self.inside(text, out);
        out.push('"');
    }

    /// Writes a text without its quotes.
    pub fn inside(self, text: &str, out: &mut String) {
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..='\u{1f}' => escape(character, out),
                '\u{80}'.. if self.ascii => escape(character, out),
                _ => out.push(character),
            }
        }
    }

    /// Writes a value.
    pub fn value(self, value: &Value<'_>, out: &mut String) {
        match value {
            Value::Absent | Value::Object(_) | Value::Pair(..) => out.push_str("null"),
            Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Value::Int(int) => {
                let _ = write!(out, "{int}");
            }
            Value::Text(text) => self.string(text, out),
            Value::Time(time) => self.string(&time.to_string(), out),
            Value::List(items) => self.list(items, out, |item, out| self.value(item, out)),
            Value::Json(json) => self.json(json, out),
        }
    }

    /// Writes data.
    pub fn json(self, json: &Json, out: &mut String) {
        match json {
            Json::String(text) => self.string(text, out),
            Json::Array(items) => self.list(items, out, |item, out| self.json(item, out)),
            Json::Object(entries) => {
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        out.push_str(self.comma());
                    }
                    self.string(key, out);
                    out.push_str(self.colon());
                    self.json(value, out);
                }
                out.push('}');
            }
            scalar => {
                let _ = write!(out, "{scalar}");
            }
        }
    }

    /// The data as a text.
    pub fn text_of(self, json: &Json) -> Cow<'static, str> {
        let mut out = String::new();
        self.json(json, &mut out);
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

/// Writes a character as one or two UTF-16 units, lower case, as Python does.
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
        assert_eq!(style.text_of(&json), expected);
    }

    #[test]
    fn each_spelling_is_what_its_vendor_writes() {
        check(JsonStyle::COMPACT, r#"{"a":["ü🙂\n\u0001",null,1.5],"b":{}}"#);
        let python = JsonStyle { spacing: JsonSpacing::Spaced, ascii: true };
        check(python, r#"{"a": ["\u00fc\ud83d\ude42\n\u0001", null, 1.5], "b": {}}"#);
    }
}
