//! References to secrets in records, such as `${secret.token}`.
//!
//! A text of a user may look like a reference. In a record it is quoted, `${'secret.token'}`, so that
//! only what redaction replaced is filled in again. Quotes are added to quotes, so that every text
//! survives.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

/// What a reference may name.
const NAMESPACES: &[&str] = &["secret.", "header.", "query.", "proxy.", "env:", "file:"];

/// A reference in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextReference<'a> {
    /// Name with its namespace: `secret.token`.
    pub name: &'a str,
    /// Number of quotes on each side; 0 if it stands for a secret.
    quotes: usize,
    /// Length of the reference in the text, in bytes.
    pub length: usize,
}

impl TextReference<'_> {
    /// Returns true if it stands for a secret.
    pub fn is_secret(&self) -> bool {
        self.quotes == 0
    }

    /// Returns the reference with one more quote on each side.
    pub fn quoted(&self) -> String {
        self.with_quotes(self.quotes + 1)
    }

    /// Returns the text that was quoted.
    pub fn unquoted(&self) -> String {
        self.with_quotes(self.quotes.saturating_sub(1))
    }

    fn with_quotes(&self, quotes: usize) -> String {
        let quotes = "'".repeat(quotes);
        format!("${{{quotes}{}{quotes}}}", self.name)
    }
}

/// Returns the reference at the start of a text.
pub fn first(text: &str) -> Option<TextReference<'_>> {
    let inside = text.strip_prefix("${")?;
    let unquoted = inside.trim_start_matches('\'');
    let quotes = inside.len() - unquoted.len();
    let (name, after) = unquoted.split_at(unquoted.find(['\'', '}'])?);
    let closes = after.len() - after.trim_start_matches('\'').len();
    let is_whole = closes == quotes && after[closes..].starts_with('}');
    // A reference may follow the beginning of one that the user wrote.
    let is_known = !name.contains(['$', '{'])
        && NAMESPACES.iter().any(|namespace| name.starts_with(namespace));
    let length = "${}".len() + 2 * quotes + name.len();
    (is_whole && is_known).then_some(TextReference { name, quotes, length })
}

/// Replaces the references in a text: those of secrets by `fill`, which may keep one, and quoted ones
/// by the text that was quoted.
pub fn resolve(text: &str, fill: impl Fn(&str) -> Option<String>) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        resolved += &rest[..at];
        rest = &rest[at..];
        let Some(reference) = first(rest) else {
            resolved += "${";
            rest = &rest["${".len()..];
            continue;
        };
        let value = fill(reference.name).filter(|_| reference.is_secret());
        resolved += &value.unwrap_or_else(|| reference.unquoted());
        rest = &rest[reference.length..];
    }
    resolved + rest
}

/// Secrets by their references, to restore texts of records.
#[derive(Clone, Default)]
pub struct KnownSecrets(BTreeMap<String, String>);

impl FromIterator<(String, String)> for KnownSecrets {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for KnownSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KnownSecrets(…)")
    }
}

impl KnownSecrets {
    /// Replaces the references in a text by the secrets, and restores texts that look like references.
    pub fn fill(&self, text: &str) -> String {
        resolve(text, |name| self.0.get(&format!("${{{name}}}")).cloned())
    }

    /// Replaces the references in all texts of a value.
    pub fn fill_json(&self, json: &mut Json) {
        match json {
            Json::String(text) => *text = self.fill(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.fill_json(item)),
            Json::Object(table) => table.values_mut().for_each(|value| self.fill_json(value)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::redact::Redactor;
    use crate::base::secret::Secret;

    #[test]
    fn only_what_was_redacted_is_filled_in() {
        let secret = Secret::private("canary".into());
        let redactor = Redactor::new([("${secret.a}".to_owned(), &secret)]);
        let mut text = "canary ${secret.a} ${'secret.a'} ${other.a}".to_owned();
        redactor.redact(&mut text);
        assert_eq!(text, "${secret.a} ${'secret.a'} ${''secret.a''} ${other.a}");
        let filled = resolve(&text, |_| Some("canary".into()));
        assert_eq!(filled, "canary ${secret.a} ${'secret.a'} ${other.a}");
    }

    #[test]
    fn a_reference_after_the_beginning_of_another_one_is_filled_in() {
        let filled = resolve("${secret.a${secret.a}", |_| Some("canary".into()));
        assert_eq!(filled, "${secret.acanary");
    }

    proptest! {
        #[test]
        fn a_redacted_text_is_restored(text in "(\\$|\\{|'|secret\\.a|canary|\\}|x){0,12}") {
            let secret = Secret::private("canary".into());
            let mut redacted = text.clone();
            Redactor::new([("${secret.a}".to_owned(), &secret)]).redact(&mut redacted);
            prop_assert_eq!(resolve(&redacted, |_| Some("canary".into())), text);
        }
    }
}
