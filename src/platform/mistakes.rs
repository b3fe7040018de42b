//! The usual mistakes of receivers that verify: what each of them makes of a request.
//!
//! A receiver that refuses what is right most likely makes one of them; whoever compares what it
//! computes with these values sees which.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::Account;
use super::forms::Purpose;
use super::signature::{Algorithm, Encoding, sign};
use crate::record::Mistake;
use crate::template::{JsonSpacing, JsonStyle, Value};

/// How Python writes JSON unless it is told otherwise.
pub(super) const PYTHON: JsonStyle = JsonStyle { spacing: JsonSpacing::Spaced, ascii: true };

impl Account {
    /// The headers by which a receiver verifies an event with this body: those that hold a
    /// signature or a secret.
    pub fn verified_headers(&self, body: &str, attempt: u32) -> Vec<(String, String)> {
        let unsigned = self.headers_signed(Purpose::Event, body, attempt, Some(""));
        let both = self.headers(body, attempt).into_iter().zip(unsigned);
        both.filter(|(sent, unsigned)| sent != unsigned || self.holds_secret(&sent.1))
            .map(|(sent, _)| sent)
            .collect()
    }

    /// What the usual mistakes make of those headers, as far as it differs from what is right.
    pub fn mistakes(&self, body: &str, attempt: u32) -> Vec<Mistake> {
        let right = self.headers(body, attempt);
        let mut mistakes: Vec<Mistake> = Vec::new();
        let mut add = |made: String, header: &str, value: String| {
            let is_new = |other: &Mistake| other.value != value;
            if right.iter().all(|(_, right)| *right != value) && mistakes.iter().all(is_new) {
                mistakes.push(Mistake { computed: made, header: header.to_owned(), value });
            }
        };
        for (made, signature) in self.wrong_signatures(body, attempt) {
            let wrong = self.headers_signed(Purpose::Event, body, attempt, Some(&signature));
            for (name, value) in wrong.into_iter().filter(|header| !right.contains(header)) {
                add(made.clone(), &name, value);
            }
        }
        for (name, value) in right.iter().filter(|(_, value)| self.holds_secret(value)) {
            match value.strip_prefix("Bearer ") {
                // A part of a secret is shown by nobody.
                Some(bare) if !self.holds_secret(bare) => {}
                Some(bare) => add("without `Bearer ` in front".into(), name, bare.to_owned()),
                None => add("with `Bearer ` in front".into(), name, format!("Bearer {value}")),
            }
            add("with a line's end behind the secret".into(), name, format!("{value}\n"));
        }
        mistakes
    }

    pub(super) fn holds_secret(&self, value: &str) -> bool {
        self.secrets.values().any(|secret| value.contains(secret.expose()))
    }

    /// Each mistake in a signature, with what it makes of it.
    fn wrong_signatures(&self, body: &str, attempt: u32) -> Vec<(String, String)> {
        let Some(rule) = &self.platform.requests.signature else { return Vec::new() };
        let roots = self.roots().with_value("attempt", Value::Int(i64::from(attempt)));
        let Ok((algorithm, encoding)) = rule.method(&roots) else { return Vec::new() };
        let key = rule.key.render(&roots);
        let content = |body: &str| {
            let roots = roots.with_value("body", Value::from(body));
            rule.content.render(&roots).into_bytes()
        };
        let right = content(body);
        let over = |body: &str| sign(algorithm, key.as_bytes(), &content(body), encoding);
        let keyed = |key: &[u8]| sign(algorithm, key, &right, encoding);
        let mut wrong = Vec::new();
        let mut add = |made: String, signature: String| wrong.push((made, signature));
        for other in Encoding::ALL.iter().filter(|other| **other != encoding) {
            let signature = sign(algorithm, key.as_bytes(), &right, *other);
            add(format!("in {other}, not {encoding}"), signature);
        }
        if let Ok(json) = serde_json::from_str::<Json>(body) {
            for (by, style) in [("JavaScript", JsonStyle::COMPACT), ("Python", PYTHON)] {
                let made = "writes it anew, not over the bytes that came";
                add(format!("over the JSON as {by} {made}"), over(&style.text_of(&json)));
            }
        }
        let ascii: String = body.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        add("over the body in ASCII, with `?` for every other character".into(), over(&ascii));
        add("over an empty body".into(), over(""));
        add("with a line's end behind the secret".into(), keyed(format!("{key}\n").as_bytes()));
        if let Ok(decoded) = STANDARD.decode(&key) {
            add("with the secret decoded from base64".into(), keyed(&decoded));
        }
        if let Ok(decoded) = hex::decode(&key) {
            add("with the secret decoded from hex".into(), keyed(&decoded));
        }
        for other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
            let signature = sign(*other, key.as_bytes(), &right, encoding);
            add(format!("with {other}, not {algorithm}"), signature);
        }
        wrong
    }
}
