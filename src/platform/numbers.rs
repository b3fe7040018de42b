//! How a vendor's language writes numbers.
//!
//! Scenarios may contain `1.0` or `1e3`. A vendor parses such a number and writes it again, so that
//! the spelling depends on its language.

use serde_json::{Map, Number, Value as Json};

crate::string_enum! {
    /// The language whose spelling of numbers a vendor uses.
    pub enum NumberFormat {
        /// `JSON.stringify`: `1`, `0.5`, `1e+21`.
        JavaScript = "javascript",
        /// `json.dumps`: `1.0`, `0.5`, `1e+21`.
        Python = "python",
    }
}

impl NumberFormat {
    /// Writes every number in the value as the language does.
    pub fn normalize(self, json: &mut Json) {
        match json {
            Json::Number(number) => {
                if let Some(written) = self.write(number) {
                    *number = written;
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.normalize(item)),
            Json::Object(entries) => self.normalize_entries(entries),
            Json::Null | Json::Bool(_) | Json::String(_) => {}
        }
    }

    /// Writes every number in the entries as the language does.
    pub fn normalize_entries(self, entries: &mut Map<String, Json>) {
        entries.values_mut().for_each(|value| self.normalize(value));
    }

    /// Returns the number as the language writes it; `None` if it is too large for a double.
    fn write(self, number: &Number) -> Option<Number> {
        let source = number.to_string();
        let is_integer = !source.contains(['.', 'e', 'E']);
        // Python has integers of any size. JavaScript has doubles only, exact up to 2^53.
        if is_integer && (self == Self::Python || number.as_i64().is_some_and(is_exact)) {
            return None;
        }
        let value: f64 = source.parse().ok().filter(|value: &f64| value.is_finite())?;
        let text = match self {
            Self::JavaScript if value == 0.0 => "0".into(), // also for -0
            Self::JavaScript if is_within(value, 1e-6, 1e21) => format!("{value}"),
            Self::JavaScript => scientific(value, 1),
            // `{:?}` keeps `.0`, as Python does.
            Self::Python if value == 0.0 || is_within(value, 1e-4, 1e16) => format!("{value:?}"),
            Self::Python => scientific(value, 2),
        };
        text.parse().ok()
    }
}

/// Largest integer below which every integer is a double: 2^53.
const MAX_EXACT: u64 = 1 << 53;

fn is_exact(integer: i64) -> bool {
    integer.unsigned_abs() <= MAX_EXACT
}

fn is_within(value: f64, low: f64, high: f64) -> bool {
    (low..high).contains(&value.abs())
}

/// Writes a number as `1.5e+21`, with at least this many digits in the exponent.
fn scientific(value: f64, digits: usize) -> String {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{exponent:0>digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_each_language() {
        for (source, javascript, python) in [
            ("1.0", "1", "1.0"),
            ("-0.0", "0", "-0.0"),
            ("1e3", "1000", "1000.0"),
            ("0.50", "0.5", "0.5"),
            ("0.000001", "0.000001", "1e-06"),
            ("0.0000001", "1e-7", "1e-07"),
            ("1e16", "10000000000000000", "1e+16"),
            ("1.5e21", "1.5e+21", "1.5e+21"),
            ("7", "7", "7"),
            ("12345678901234567890", "12345678901234567000", "12345678901234567890"),
        ] {
            let write = |format: NumberFormat| {
                let mut json: Json = serde_json::from_str(&format!("[{source}]")).unwrap();
                format.normalize(&mut json);
                json.to_string()
            };
            assert_eq!(write(NumberFormat::JavaScript), format!("[{javascript}]"), "{source}");
            assert_eq!(write(NumberFormat::Python), format!("[{python}]"), "{source}");
        }
    }
}
