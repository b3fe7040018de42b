//! Redaction: replaces secrets in output by references, in every encoding they may appear in.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use serde_json::Value as Json;
use url::Url;

use crate::base::references;
use crate::base::secret::{MIN_SECRET, Secret};

/// Replaces secrets by references such as `${secret.token}`.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Encoded secrets with their references. The longest come first, because a secret may contain
    /// another one.
    pairs: Vec<(String, String)>,
}

/// Shorter texts, in bytes, are only searched for as plain text. Their encodings are a few
/// characters long and would match in unrelated text.
const MIN_ENCODED: usize = MIN_SECRET;

/// Minimum length, in bytes, of secrets that are searched for inside longer base64 values. At
/// either end of a shorter secret too few characters depend on the secret alone.
const MIN_EMBEDDED: usize = 8;

/// Mark at the end of a text that was shortened.
const CUT: char = '…';

/// Minimum length, in bytes, of a beginning of a secret that is removed from the end of a shortened
/// text. Fewer bytes reveal little, and occur in unrelated text.
const MIN_CUT: usize = 3;

impl Redactor {
    /// Creates a redactor for pairs of a reference and its secret. Built-in test credentials are
    /// public and are not replaced.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (String, &'a Secret)>) -> Self {
        let private = secrets.into_iter().filter(|(_, secret)| !secret.is_public());
        let mut pairs: Vec<(String, String)> = private
            .flat_map(|(reference, secret)| {
                encodings(secret.expose()).into_iter().map(move |s| (s, reference.clone()))
            })
            .collect();
        pairs.sort_by_key(|(encoded, _)| std::cmp::Reverse(encoded.len()));
        Self { pairs }
    }

    /// Returns true if there are no secrets to replace.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Adds the secrets of another redactor.
    #[must_use]
    pub fn merged(&self, other: Self) -> Self {
        // The references of the other one win.
        let mut pairs = [other.pairs, self.pairs.clone()].concat();
        pairs.sort_by_key(|(encoded, _)| std::cmp::Reverse(encoded.len()));
        Self { pairs }
    }

    /// Replaces all secrets in a text, and quotes texts that look like their references. Returns
    /// whether the text changed.
    // One pass, not one per secret: a reference may contain the text of another secret.
    pub fn redact(&self, text: &mut String) -> bool {
        let has_secret = self.pairs.iter().any(|(encoded, _)| text.contains(encoded));
        let has_cut = !self.is_empty() && text.contains(CUT);
        if !has_secret && !has_cut && !text.contains("${") {
            return false;
        }
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(next) = rest.chars().next() {
            if let Some((encoded, reference)) =
                self.pairs.iter().find(|(encoded, _)| rest.starts_with(encoded))
            {
                redacted.push_str(reference);
                rest = &rest[encoded.len()..];
            } else if let Some(reference) = references::first(rest) {
                redacted += &reference.quoted();
                rest = &rest[reference.length..];
            } else {
                if next == CUT {
                    self.drop_beginning(&mut redacted);
                }
                redacted.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        let has_changed = redacted != *text;
        *text = redacted;
        has_changed
    }

    /// Redacts every string of a JSON value. Returns whether one changed.
    pub fn redact_json(&self, json: &mut Json) -> bool {
        match json {
            Json::String(text) => self.redact(text),
            Json::Array(items) => {
                // `|` and not `||`, which would skip the items after the first change.
                items.iter_mut().fold(false, |changed, item| self.redact_json(item) | changed)
            }
            Json::Object(table) => {
                table.values_mut().fold(false, |changed, value| self.redact_json(value) | changed)
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }

    /// Redacts a text whose end is missing. A secret that begins before the end is removed too.
    pub fn redact_cut(&self, text: &mut String) -> bool {
        let has_changed = self.redact(text);
        let length = text.len();
        self.drop_beginning(text);
        has_changed || text.len() != length
    }

    /// Removes the beginning of a secret at the end of a text.
    fn drop_beginning(&self, text: &mut String) {
        let beginnings = self.pairs.iter().filter_map(|(encoded, _)| {
            let ends = encoded.char_indices().map(|(at, _)| at).rev();
            ends.filter(|end| *end >= MIN_CUT).find(|end| text.ends_with(&encoded[..*end]))
        });
        if let Some(length) = beginnings.max() {
            text.truncate(text.len() - length);
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Redactor")
    }
}

/// Parts of the names of query parameters and headers whose values are credentials.
const CREDENTIAL_NAMES: [&str; 8] =
    ["token", "key", "secret", "sig", "auth", "pass", "code", "session"];

/// Minimum length, in bytes, of a query value that counts as a credential whatever its name is.
// A word such as `?env=staging` would be replaced everywhere, also in messages.
const MIN_TOKEN: usize = 16;

/// Returns whether the name of a query parameter or header says that its value is a credential.
pub fn is_credential_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CREDENTIAL_NAMES.iter().any(|part| name.contains(part))
}

/// Ends of the names of keys whose values are credentials, without `_`.
// Not parts: `tokenType` and `tokenPassMethod` have words that occur elsewhere in a document.
const CREDENTIAL_KEYS: [&str; 9] =
    ["token", "secret", "password", "jwt", "csrf", "bearer", "apikey", "secretkey", "privatekey"];

/// Returns whether the name of a key of a document, in the singular or plural, says that its value is a
/// credential.
pub fn is_credential_key(key: &str) -> bool {
    let key = key.to_lowercase().replace(['_', '-'], "");
    let key = key.strip_suffix('s').unwrap_or(&key);
    CREDENTIAL_KEYS.iter().any(|end| key.ends_with(end))
}

/// Returns the values in the query of a URL that may be credentials, with their references.
pub fn query_secrets(url: &Url) -> Vec<(String, Secret)> {
    let raw = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let decoded = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned()));
    let raw = raw.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let is_credential = |(key, value): &(String, String)| {
        value.len() >= if is_credential_name(key) { MIN_SECRET } else { MIN_TOKEN }
    };
    let secrets = decoded.chain(raw).filter(is_credential);
    let is_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    secrets
        .map(|(key, value)| {
            let name = key.replace(|c| !is_name(c), "_");
            (format!("${{query.{name}}}"), Secret::private(value))
        })
        .collect()
}

/// Returns a secret in each encoding: plain, JSON, HTML and XML, base64 (alone and inside a longer
/// value), hexadecimal, percent-encoded and reversed.
fn encodings(secret: &str) -> Vec<String> {
    let inside_json = inside_json(secret);
    let mut encodings = vec![
        inside_json.clone(),
        escape_non_ascii(&inside_json, |unit| format!("\\u{unit:04x}")),
        escape_non_ascii(&inside_json, |unit| format!("\\u{unit:04X}")),
    ];
    encodings.extend(markup_encodings(secret));
    if secret.len() >= MIN_ENCODED {
        let bytes = secret.as_bytes();
        encodings.extend([
            STANDARD_NO_PAD.encode(bytes),
            URL_SAFE_NO_PAD.encode(bytes),
            hex::encode(bytes),
            hex::encode_upper(bytes),
            percent_encoded(bytes, is_unreserved, upper),
            percent_encoded(bytes, is_unreserved, lower),
            percent_encoded(bytes, |_| false, upper),
            percent_encoded(bytes, |_| false, lower),
            url::form_urlencoded::byte_serialize(bytes).collect(),
            secret.chars().rev().collect(),
        ]);
    }
    if secret.len() >= MIN_EMBEDDED {
        encodings.extend((0..3).flat_map(|offset| inside_base64(secret.as_bytes(), offset)));
    }
    // Removed and added again: the plain text must be present, but only once.
    encodings.retain(|encoded| encoded != secret);
    encodings.push(secret.to_owned());
    encodings.sort();
    encodings.dedup();
    encodings
}

/// Returns the part of a longer base64 value that depends on the secret alone, in both alphabets.
/// `offset` is the position of the secret's first byte in its group of three bytes.
fn inside_base64(secret: &[u8], offset: usize) -> [String; 2] {
    let padded = [&[0; 2][..offset], secret].concat();
    // Characters of 6 bits that the surrounding bytes share are cut off at both ends.
    let (from, to) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)]
        .map(|encoded| encoded[from..to].to_owned())
}

/// Returns a text as HTML and XML libraries write it: they differ in how they escape quotes and
/// characters outside ASCII.
fn markup_encodings(text: &str) -> Vec<String> {
    const QUOTES: [[&str; 2]; 6] = [
        ["\"", "'"],
        ["&quot;", "'"],
        ["&quot;", "&apos;"],
        ["&quot;", "&#39;"],
        ["&quot;", "&#x27;"],
        ["&#34;", "&#39;"],
    ];
    let mut encodings = Vec::new();
    for [double, single] in QUOTES {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let escaped = escaped.replace('"', double).replace('\'', single);
        let plain = |c: char| c.is_ascii();
        encodings.push(character_references(&escaped, plain, |code| format!("&#{code};")));
        encodings.push(character_references(&escaped, plain, |code| format!("&#x{code:x};")));
        encodings.push(character_references(&escaped, plain, |code| format!("&#x{code:X};")));
        encodings.push(escaped);
    }
    let none = |_| false;
    encodings.push(character_references(text, none, |code| format!("&#{code};")));
    encodings.push(character_references(text, none, |code| format!("&#x{code:x};")));
    encodings.push(character_references(text, none, |code| format!("&#x{code:X};")));
    encodings
}

fn character_references(text: &str, keep: fn(char) -> bool, escape: fn(u32) -> String) -> String {
    let encode = |c: char| if keep(c) { c.to_string() } else { escape(c.into()) };
    text.chars().map(encode).collect()
}

fn inside_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text).to_owned()
}

/// Escapes characters outside ASCII, one UTF-16 code unit at a time, as JSON does.
fn escape_non_ascii(text: &str, unit: fn(u16) -> String) -> String {
    let escape = |character: char| {
        if character.is_ascii() {
            return character.to_string();
        }
        character.encode_utf16(&mut [0; 2]).iter().map(|code| unit(*code)).collect()
    };
    text.chars().map(escape).collect()
}

fn percent_encoded(bytes: &[u8], keep: fn(u8) -> bool, escape: fn(u8) -> String) -> String {
    let encode = |byte: &u8| if keep(*byte) { char::from(*byte).into() } else { escape(*byte) };
    bytes.iter().map(encode).collect()
}

/// Returns true for unreserved characters of a URL (RFC 3986), which need no encoding.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn upper(byte: u8) -> String {
    format!("%{byte:02X}")
}

fn lower(byte: u8) -> String {
    format!("%{byte:02x}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(secret: &str, shown: &str) {
        let secret = Secret::private(secret.into());
        let redactor = Redactor::new([("${secret.token}".to_owned(), &secret)]);
        let mut text = shown.to_owned();
        redactor.redact(&mut text);
        assert_eq!(text, "<${secret.token}>", "{shown}");
    }

    #[test]
    fn a_secret_is_replaced_by_its_reference_in_every_encoding() {
        check("s3\"cret", "<s3\"cret>");
        check("s3\"cret", "<s3\\\"cret>");
        check("hål🙂 4", "<h\\u00e5l\\ud83d\\ude42 4>");
        check("hål🙂 4", "<h\\u00E5l\\uD83D\\uDE42 4>");
        check("hål🙂 4", "<h%C3%A5l%F0%9F%99%82%204>");
        check("hål🙂 4", "<h%C3%A5l%F0%9F%99%82+4>");
        check("tok/en", "<tok%2fen>");
        check("tok~n", "<%74%6F%6B%7E%6E>");
        check("tok~n", "<%74%6f%6b%7e%6e>");
        check("token??>", "<dG9rZW4/Pz4>");
        check("token??>", "<dG9rZW4_Pz4>");
        check("token", "<746f6b656e>");
        check("jklmno", "<6A6B6C6D6E6F>");
        check("token", "<nekot>");
        check("a&b\"c'd", "<a&amp;b&quot;c&#39;d>");
        check("a&b\"c'd", "<a&amp;b&quot;c&apos;d>");
        check("a&b\"c'd", "<a&amp;b&#34;c&#39;d>");
        check("a<b>é", "<a&lt;b&gt;&#233;>");
        check("a<b>é", "<a&lt;b&gt;&#xE9;>");
        check("tok'n", "<&#116;&#111;&#107;&#39;&#110;>");
    }

    #[test]
    fn the_beginning_of_a_secret_at_a_cut_is_removed() {
        let secret = Secret::private("canary-token".into());
        let redactor = Redactor::new([("<>".to_owned(), &secret)]);
        for (text, expected) in [
            ("is canary-tok… and", "is … and"),
            ("is canary-token…", "is <>…"),
            ("is ca…", "is ca…"),
            ("plain…", "plain…"),
        ] {
            let mut text = text.to_owned();
            redactor.redact(&mut text);
            assert_eq!(text, expected);
        }
        let mut body = "is canary-tok".to_owned();
        assert!(redactor.redact_cut(&mut body));
        assert_eq!(body, "is ");
    }

    #[test]
    fn a_secret_is_replaced_inside_a_longer_encoded_value() {
        let secret = Secret::private("canary-token??>".into());
        let redactor = Redactor::new([("<>".to_owned(), &secret)]);
        for beside in ["", "u", "me", "me:"] {
            let longer = format!("{beside}{}{beside}", secret.expose());
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let mut text = engine.encode(&longer);
                redactor.redact(&mut text);
                let left = text.replace("<>", "").len();
                assert!(text.contains("<>") && left <= 2 * beside.len() + 5, "{text}");
            }
        }
    }

    #[test]
    fn public_credentials_are_kept_and_longer_secrets_are_replaced_first() {
        let (public, one, two) = (
            Secret::public("public".into()),
            Secret::private("abcd".into()),
            Secret::private("abcdef".into()),
        );
        let named = [("p".to_owned(), &public), ("1".to_owned(), &one), ("2".to_owned(), &two)];
        let mut text = "public abcdef abcd".to_owned();
        Redactor::new(named).redact(&mut text);
        assert_eq!(text, "public 2 1");
    }

    proptest! {
        #[test]
        fn no_encoding_of_a_secret_remains_in_any_text(
            secrets in prop::collection::vec("\\PC{1,12}", 1..4),
            before in "\\PC{0,20}",
            after in "\\PC{0,20}",
        ) {
            const REFERENCE: &str = "\u{1}"; // not part of any encoding of printable text
            let private: Vec<Secret> =
                secrets.iter().map(|text| Secret::private(text.clone())).collect();
            let pairs = private.iter().map(|secret| (REFERENCE.to_owned(), secret));
            let redactor = Redactor::new(pairs);
            for encoded in secrets.iter().flat_map(|secret| encodings(secret)) {
                let mut text = format!("{before}{encoded}{after}{encoded}");
                redactor.redact(&mut text);
                prop_assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text:?}");
                prop_assert!(!text.contains(&encoded), "{text:?}");
            }
        }
    }
}
