//! Common mistakes of receivers in verifying a request, with the value that each one computes.
//!
//! If a receiver rejects valid requests, comparing its computed value with these shows the cause.

use base64::Engine as _;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{
    GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE, URL_SAFE_NO_PAD,
};
use serde_json::{Map, Value as Json};

use super::account::Account;
use super::altered_bodies::{Altered, altered_bodies, altered_encodings};
use super::request::SignatureRule;
use super::request_facts::RequestFacts;
use super::signature::{Algorithm, Encoding, KeyEncoding, code_of, hash_of, sign};
use super::signing::Signing;
use crate::base::secret::Secret;
use crate::record::Mistake;

/// Base64 without required padding, as Node.js decodes it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Maximum length, in bytes, of another secret of the account that may be taken for the key.
const MAX_KEY: usize = 128;

/// Returns the header values that common mistakes compute, except those that equal a valid value
/// or an earlier mistake. Each is described by a phrase that follows "computed". The likely ones
/// come first.
///
/// `accepted` are requests that the receiver has accepted. A mistake that would have rejected one
/// of them is not the cause.
pub(super) fn common_mistakes(
    account: &Account,
    request: &RequestFacts<'_>,
    accepted: &[RequestFacts<'_>],
) -> Vec<Mistake> {
    let excluded: Vec<Mistake> =
        accepted.iter().flat_map(|accepted| candidates(account, accepted)).collect();
    let mut mistakes: Vec<Mistake> = Vec::new();
    for mistake in candidates(account, request) {
        let is_same =
            |other: &Mistake| other.header == mistake.header && other.computed == mistake.computed;
        // Two mistakes can give the same value: a body in ASCII has no other characters.
        let is_known = mistakes.iter().any(|other| other.value == mistake.value);
        if !is_known && !excluded.iter().any(is_same) {
            mistakes.push(mistake);
        }
    }
    mistakes
}

/// Returns the mistakes whose value differs from the valid one, the likely ones first.
fn candidates(account: &Account, request: &RequestFacts<'_>) -> Vec<Mistake> {
    let signing = Signing::of(account);
    let valid = signing.headers(request);
    let signatures = signing.signatures(request);
    let mut likely: Vec<Mistake> = Vec::new();
    let mut others: Vec<Mistake> = Vec::new();
    let mut add = |header: &str, Altered { computed, value, is_likely }: Altered<String>| {
        if valid.iter().all(|(_, valid)| *valid != value) {
            let mistakes = if is_likely { &mut likely } else { &mut others };
            mistakes.push(Mistake { computed, header: header.to_owned(), value });
        }
    };
    for (name, rule) in &account.platform.requests.signatures {
        for Altered { computed, value, is_likely } in invalid_signatures(account, rule, request) {
            let mut altered = signatures.clone();
            altered.insert(name.clone(), value.into());
            let headers = signing.headers_with(request, &altered);
            for (header, value) in headers.into_iter().filter(|header| !valid.contains(header)) {
                add(&header, Altered { computed: computed.clone(), value, is_likely });
            }
        }
    }
    for (header, value) in &valid {
        if let Some((prefix, signature)) = split_prefix(value, &signatures) {
            let computed = format!("without the prefix `{prefix}`");
            add(header, Altered::new(computed, signature.to_owned()).likely());
        }
    }
    for (name, value) in valid.iter().filter(|(_, value)| account.contains_secret(value)) {
        match value.strip_prefix("Bearer ") {
            // Without a whole secret in it, the redactor would not hide the value in reports.
            Some(bare) if !account.contains_secret(bare) => {}
            Some(bare) => {
                let altered = Altered::new("without the prefix `Bearer `", bare.to_owned());
                add(name, altered.likely());
            }
            None => {
                let altered = Altered::new("with the prefix `Bearer `", format!("Bearer {value}"));
                add(name, altered.likely());
            }
        }
        let with_newline = format!("{value}\n");
        add(name, Altered::new("with a newline after the secret", with_newline).likely());
        add(name, Altered::new("with quotes around the secret", quoted(value)));
    }
    likely.append(&mut others);
    likely
}

/// Splits a header value that ends with a signature.
fn split_prefix<'v>(value: &'v str, signatures: &Map<String, Json>) -> Option<(&'v str, &'v str)> {
    let mut texts = signatures.values().filter_map(Json::as_str);
    let signature = texts.find(|text| !text.is_empty() && value.ends_with(text))?;
    let split = value.split_at(value.len() - signature.len());
    (!split.0.is_empty()).then_some(split)
}

/// Returns the signatures that common mistakes compute.
fn invalid_signatures(
    account: &Account,
    rule: &SignatureRule,
    request: &RequestFacts<'_>,
) -> Vec<Altered<String>> {
    let roots = request.roots(&account.roots());
    let Ok((algorithm, encoding)) = rule.method(&roots) else { return Vec::new() };
    let key = rule.key_bytes(&roots);
    let signed = request.render(&rule.content, &roots);
    let signature = |content: &[u8]| sign(algorithm, &key, content, encoding);
    let mut invalid = encodings(&code_of(algorithm, &key, signed.as_bytes()), encoding);
    for altered in altered_bodies(request.body) {
        let other = request.with_body(&altered.value);
        let content = other.render(&rule.content, &other.roots(&account.roots()));
        invalid.push(altered.map(|_| signature(content.as_bytes())));
    }
    for altered in altered_encodings(&signed) {
        invalid.push(altered.map(|bytes| signature(&bytes)));
    }
    let alone = "over the body alone; the signed content has more parts";
    invalid.push(Altered::new(alone, signature(request.body.as_bytes())).likely());
    for altered in altered_keys(account, rule, &rule.key.render(&roots)) {
        invalid.push(altered.map(|key| sign(algorithm, &key, signed.as_bytes(), encoding)));
    }
    let swapped = sign(algorithm, signed.as_bytes(), &key, encoding);
    invalid
        .push(Altered::new("with the secret in place of the body, and the body as key", swapped));
    let (body, with_secret) = (signed.as_bytes(), [&key, signed.as_bytes()].concat());
    for (content, computed) in [
        (body, "without the secret, as a plain hash"),
        (&with_secret, "as a plain hash of secret and body"),
    ] {
        invalid.push(Altered::new(computed, encoding.encode(&hash_of(algorithm, content))));
    }
    for other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
        let computed = format!("with {other} instead of {algorithm}");
        let value = sign(*other, &key, signed.as_bytes(), encoding);
        // Few senders use SHA-512.
        let is_likely = *other != Algorithm::HmacSha512;
        invalid.push(Altered::new(computed, value).likely_if(is_likely));
    }
    invalid
}

/// Returns the valid signature in other encodings.
fn encodings(code: &[u8], encoding: Encoding) -> Vec<Altered<String>> {
    let hex = hex::encode(code);
    let all = [
        ("hex", hex.clone()),
        ("base64", STANDARD.encode(code)),
        ("base64url", URL_SAFE.encode(code)),
        ("base64url without padding", URL_SAFE_NO_PAD.encode(code)),
        ("base64 of the hex text", STANDARD.encode(&hex)),
        ("upper-case hex", hex.to_uppercase()),
    ];
    let altered = |(name, value)| {
        let computed = format!("in {name} instead of {encoding}");
        Altered::new(computed, value).likely_if(matches!(name, "hex" | "base64"))
    };
    // The right encoding gives the valid value, which is no mistake.
    all.into_iter().map(altered).collect()
}

/// Returns the keys that a receiver signs with by mistake.
fn altered_keys(account: &Account, rule: &SignatureRule, key: &str) -> Vec<Altered<Vec<u8>>> {
    let mut keys = Vec::new();
    if rule.key_encoding == KeyEncoding::Text {
        let with_newline = format!("{key}\n").into_bytes();
        keys.push(Altered::new("with a newline after the secret", with_newline).likely());
        keys.push(Altered::new("with quotes around the secret", quoted(key).into_bytes()));
        // A line of an `.env` file with Windows line endings.
        let text = format!("{key}\r").into_bytes();
        keys.push(Altered::new("with a carriage return after the secret", text));
    } else {
        let computed =
            format!("with the text of the secret as key; decode it as {}", rule.key_encoding);
        keys.push(Altered::new(computed, key.as_bytes().to_vec()).likely());
        let whole = account.secrets.values().map(Secret::expose);
        for secret in whole.filter(|secret| *secret != key && secret.ends_with(key)) {
            let computed = "with the text of the whole secret as key, prefix included";
            keys.push(Altered::new(computed, secret.as_bytes().to_vec()));
        }
    }
    // Many secrets happen to be valid base64 or hex, and SDKs of other vendors decode them.
    for other in [KeyEncoding::Base64, KeyEncoding::Hex] {
        let decoded = match other {
            KeyEncoding::Base64 => LENIENT.decode(key).ok(),
            _ => other.decode(key),
        };
        if let Some(decoded) = decoded.filter(|_| other != rule.key_encoding) {
            keys.push(Altered::new(format!("with the {other}-decoded secret as key"), decoded));
        }
    }
    // A variable that is not set.
    keys.push(Altered::new("with an empty secret", Vec::new()).likely());
    for (name, secret) in &account.secrets {
        let secret = secret.expose();
        // A longer one is a key of another algorithm.
        if !secret.ends_with(key) && secret.len() <= MAX_KEY {
            let computed = format!("with the secret `{name}` as key");
            keys.push(Altered::new(computed, secret.as_bytes().to_vec()).likely());
        }
    }
    keys
}

/// A value of a `.env` file that was read with its quotes.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
