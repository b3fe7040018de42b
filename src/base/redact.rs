//! Keeps secrets out of what is shown: puts references in their place, however they are spelled.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::base::secret::Secret;

/// Puts references in the place of secrets.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Spellings with their references, the longest first: one may hold another.
    pairs: Vec<(String, String)>,
}

/// Secrets of fewer bytes are looked for as they are only: their other spellings are in any text.
const SHORT: usize = 4;

/// Secrets of at least so many bytes are also looked for inside something longer that was encoded.
const LONG: usize = 8;

impl Redactor {
    /// A redactor of these secrets, each with the reference that stands for it. Built-in test
    /// credentials are public and stay.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (String, &'a Secret)>) -> Self {
        let given = secrets.into_iter().filter(|(_, secret)| !secret.is_public());
        let mut pairs: Vec<(String, String)> = given
            .flat_map(|(reference, secret)| {
                spellings(secret.expose()).into_iter().map(move |s| (s, reference.clone()))
            })
            .collect();
        pairs.sort_by_key(|(spelling, _)| std::cmp::Reverse(spelling.len()));
        Self { pairs }
    }

    /// Whether there is nothing to keep out.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Puts references in the place of the secrets in a text, in one pass: a reference may itself
    /// spell another secret. Returns whether the text changed.
    pub fn text(&self, text: &mut String) -> bool {
        if !self.pairs.iter().any(|(spelling, _)| text.contains(spelling)) {
            return false;
        }
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(next) = rest.chars().next() {
            match self.pairs.iter().find(|(spelling, _)| rest.starts_with(spelling)) {
                Some((spelling, reference)) => {
                    redacted.push_str(reference);
                    rest = &rest[spelling.len()..];
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

/// A secret as it is, inside JSON, in base64 (alone and inside something longer), in hexadecimal,
/// inside a URL, and backwards.
fn spellings(secret: &str) -> Vec<String> {
    let inside_json = inside_json(secret);
    let mut spellings = vec![
        inside_json.clone(),
        ascii(&inside_json, |unit| format!("\\u{unit:04x}")),
        ascii(&inside_json, |unit| format!("\\u{unit:04X}")),
    ];
    if secret.len() >= SHORT {
        let bytes = secret.as_bytes();
        spellings.extend([
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
    if secret.len() >= LONG {
        spellings.extend((0..3).flat_map(|before| inside_base64(secret.as_bytes(), before)));
    }
    spellings.retain(|spelling| spelling != secret);
    spellings.push(secret.to_owned());
    spellings.sort();
    spellings.dedup();
    spellings
}

/// What of a secret's bytes shows in the base64 of something longer, where so many bytes stand
/// before it in a group of three: the characters that are made of nothing else.
fn inside_base64(secret: &[u8], before: usize) -> [String; 2] {
    let padded = [&[0; 2][..before], secret].concat();
    let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)]
        .map(|encoded| encoded[from..to].to_owned())
}

fn inside_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text).to_owned()
}

/// What is not ASCII, in units of UTF-16.
fn ascii(text: &str, unit: fn(u16) -> String) -> String {
    let spell = |character: char| {
        if character.is_ascii() {
            return character.to_string();
        }
        character.encode_utf16(&mut [0; 2]).iter().map(|code| unit(*code)).collect()
    };
    text.chars().map(spell).collect()
}

fn percent_encoded(bytes: &[u8], stays: fn(u8) -> bool, other: fn(u8) -> String) -> String {
    let spell = |byte: &u8| if stays(*byte) { char::from(*byte).into() } else { other(*byte) };
    bytes.iter().map(spell).collect()
}

/// Whether a byte stays as it is inside a URL.
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
        redactor.text(&mut text);
        assert_eq!(text, "<${secret.token}>", "{shown}");
    }

    #[test]
    fn a_secret_gives_way_to_its_reference_in_every_spelling() {
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
    fn a_secret_gives_way_inside_something_longer_that_was_encoded() {
        let secret = Secret::private("canary-token??>".into());
        let redactor = Redactor::new([("<>".to_owned(), &secret)]);
        for beside in ["", "u", "me", "me:"] {
            let longer = format!("{beside}{}{beside}", secret.expose());
            for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let mut text = engine.encode(&longer);
                redactor.text(&mut text);
                let left = text.replace("<>", "").len();
                assert!(text.contains("<>") && left <= 2 * beside.len() + 5, "{text}");
            }
        }
    }

    #[test]
    fn public_credentials_stay_and_a_longer_secret_goes_first() {
        let (public, one, two) = (
            Secret::public("public".into()),
            Secret::private("abcd".into()),
            Secret::private("abcdef".into()),
        );
        let named = [("p".to_owned(), &public), ("1".to_owned(), &one), ("2".to_owned(), &two)];
        let mut text = "public abcdef abcd".to_owned();
        Redactor::new(named).text(&mut text);
        assert_eq!(text, "public 2 1");
    }

    proptest! {
        #[test]
        fn no_spelling_of_any_secret_stays_in_any_text(
            secrets in prop::collection::vec("\\PC{1,12}", 1..4), before in "\\PC{0,20}", after in "\\PC{0,20}",
        ) {
            const REFERENCE: &str = "\u{1}"; // in no spelling of anything printable
            let given: Vec<Secret> = secrets.iter().map(|text| Secret::private(text.clone())).collect();
            let redactor = Redactor::new(given.iter().map(|secret| (REFERENCE.to_owned(), secret)));
            for spelling in secrets.iter().flat_map(|secret| spellings(secret)) {
                let mut text = format!("{before}{spelling}{after}{spelling}");
                redactor.text(&mut text);
                prop_assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text:?}");
                prop_assert!(!text.contains(&spelling), "{text:?}");
            }
        }
    }
}
