//! Common mistakes of receivers in verifying a request, with the value that each one computes.
//!
//! If a receiver rejects valid requests, comparing its computed value with these shows the cause.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::account::Account;
use super::forms::Purpose;
use super::signature::{Algorithm, Encoding, sign};
use super::signing::Signing;
use crate::record::Mistake;
use crate::template::{JsonSpacing, JsonStyle, Value};

/// The default output of Python's `json.dumps`.
pub(super) const PYTHON: JsonStyle = JsonStyle { spacing: JsonSpacing::Spaced, ascii: true };

/// Returns the header values that common mistakes compute, except those that equal a valid value
/// or an earlier mistake. Each is described by a phrase that follows "computed".
pub(super) fn common_mistakes(account: &Account, body: &str, attempt: u32) -> Vec<Mistake> {
    let signing = Signing::of(account);
    let valid = signing.headers(body, attempt);
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut add = |computed: String, header: &str, value: String| {
        // Two mistakes can give the same value: a body in ASCII has no other characters.
        let is_new = |other: &Mistake| other.value != value;
        if valid.iter().all(|(_, valid)| *valid != value) && mistakes.iter().all(is_new) {
            mistakes.push(Mistake { computed, header: header.to_owned(), value });
        }
    };
    for (computed, signature) in invalid_signatures(account, body, attempt) {
        let headers =
            signing.headers_with_signature(Purpose::Event, body, attempt, Some(&signature));
        for (name, value) in headers.into_iter().filter(|header| !valid.contains(header)) {
            add(computed.clone(), &name, value);
        }
    }
    for (name, value) in valid.iter().filter(|(_, value)| account.contains_secret(value)) {
        match value.strip_prefix("Bearer ") {
            // Without a whole secret in it, the redactor would not hide the value in reports.
            Some(bare) if !account.contains_secret(bare) => {}
            Some(bare) => add("without the prefix `Bearer `".into(), name, bare.to_owned()),
            None => add("with the prefix `Bearer `".into(), name, format!("Bearer {value}")),
        }
        add("with a newline after the secret".into(), name, format!("{value}\n"));
    }
    mistakes
}

/// Returns the signatures that common mistakes compute, with a description of each.
fn invalid_signatures(account: &Account, body: &str, attempt: u32) -> Vec<(String, String)> {
    let Some(rule) = &account.platform.requests.signature else { return Vec::new() };
    let roots = account.roots().with_value("attempt", Value::Int(i64::from(attempt)));
    let Ok((algorithm, encoding)) = rule.method(&roots) else { return Vec::new() };
    let key = rule.key.render(&roots);
    let content = |body: &str| {
        let roots = roots.with_value("body", Value::from(body));
        rule.content.render(&roots).into_bytes()
    };
    let signed = content(body);
    let mut invalid = Vec::new();
    for other in Encoding::ALL.iter().filter(|other| **other != encoding) {
        let signature = sign(algorithm, key.as_bytes(), &signed, *other);
        invalid.push((format!("in {other} instead of {encoding}"), signature));
    }
    for (computed, body) in altered_bodies(body) {
        invalid.push((computed, sign(algorithm, key.as_bytes(), &content(&body), encoding)));
    }
    for (computed, key) in altered_keys(&key) {
        invalid.push((computed, sign(algorithm, &key, &signed, encoding)));
    }
    for other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
        let signature = sign(*other, key.as_bytes(), &signed, encoding);
        invalid.push((format!("with {other} instead of {algorithm}"), signature));
    }
    invalid
}

/// Returns the bodies that a receiver signs by mistake.
fn altered_bodies(body: &str) -> Vec<(String, String)> {
    let mut bodies = Vec::new();
    if let Ok(json) = serde_json::from_str::<Json>(body) {
        for (call, style) in [("JSON.stringify", JsonStyle::COMPACT), ("json.dumps", PYTHON)] {
            let computed = format!("over {call}(parsed body); sign the raw request body instead");
            bodies.push((computed, style.format(&json).into_owned()));
        }
    }
    // The result of encoding with replacement, such as Java's `getBytes(US_ASCII)`.
    let ascii = body.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    let computed = "over the body in ASCII, with `?` in place of other characters";
    bodies.push((computed.into(), ascii));
    bodies.push(("over an empty body".into(), String::new()));
    bodies
}

/// Returns the keys that a receiver signs with by mistake.
fn altered_keys(key: &str) -> Vec<(String, Vec<u8>)> {
    let mut keys =
        vec![("with a newline after the secret".into(), format!("{key}\n").into_bytes())];
    // Many secrets happen to be valid base64 or hex, and SDKs of other vendors decode them.
    if let Ok(decoded) = STANDARD.decode(key) {
        keys.push(("with the base64-decoded secret as key".into(), decoded));
    }
    if let Ok(decoded) = hex::decode(key) {
        keys.push(("with the hex-decoded secret as key".into(), decoded));
    }
    keys
}
