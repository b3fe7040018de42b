//! Redaction: replaces secrets in output by references, in every encoding they may appear in.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::base::secret::Secret;

/// Replaces secrets by references such as `${secret.token}`.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Encoded secrets with their references. The longest come first, because a secret may contain
    /// another one.
    pairs: Vec<(String, String)>,
}

/// Shorter secrets, in bytes, are only searched for as plain text. Their encodings are a few
/// characters long and would match in unrelated text.
const MIN_ENCODED: usize = 4;

/// Minimum length, in bytes, of secrets that are searched for inside longer base64 values. At
/// either end of a shorter secret too few characters depend on the secret alone.
const MIN_EMBEDDED: usize = 8;

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

    /// Replaces all secrets in a text.
    // One pass, not one per secret: a reference may contain the text of another secret.
    pub fn redact(&self, text: &mut String) -> bool {
        if !self.pairs.iter().any(|(encoded, _)| text.contains(encoded)) {
            return false;
        }
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(next) = rest.chars().next() {
            match self.pairs.iter().find(|(encoded, _)| rest.starts_with(encoded)) {
                Some((encoded, reference)) => {
                    redacted.push_str(reference);
                    rest = &rest[encoded.len()..];
                }
                None => {
                    redacted.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        *text = redacted;
        true
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Redactor")
    }
}

/// Returns a secret in each encoding: plain, JSON, base64 (alone and inside a longer value),
/// hexadecimal, percent-encoded and reversed.
fn encodings(secret: &str) -> Vec<String> {
    let inside_json = inside_json(secret);
    let mut encodings = vec![
        inside_json.clone(),
        escape_non_ascii(&inside_json, |unit| format!("\\u{unit:04x}")),
        escape_non_ascii(&inside_json, |unit| format!("\\u{unit:04X}")),
    ];
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
