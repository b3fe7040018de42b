//! The headers of an account's requests, signatures included.

use serde_json::{Map, Value as Json};

use super::account::Account;
use super::forms::Purpose;
use super::request::HeaderRule;
use super::request_facts::{RequestFacts, SENDER_ROOTS};
use crate::template::{CapturedTexts, Value};

/// Computes the headers of an account's requests.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    account: &'a Account,
}

impl<'a> Signing<'a> {
    /// Signs with the credentials of this account.
    pub fn of(account: &'a Account) -> Self {
        Self { account }
    }

    /// Returns the headers of a request in the vendor's order.
    pub fn headers(self, request: &RequestFacts<'_>) -> Vec<(String, String)> {
        self.headers_with(request, &self.signatures(request))
    }

    /// Returns the headers of a request that contain a signature or a secret: those by which a
    /// receiver verifies it.
    pub fn credential_headers(self, request: &RequestFacts<'_>) -> Vec<(String, String)> {
        // A header whose value changes with the signatures contains one.
        let unsigned = self.signatures(request).into_iter().map(|(name, _)| (name, "".into()));
        let unsigned = self.headers_with(request, &unsigned.collect());
        let both = self.headers(request).into_iter().zip(unsigned);
        both.filter(|(sent, unsigned)| sent != unsigned || self.account.contains_secret(&sent.1))
            .map(|(sent, _)| sent)
            .collect()
    }

    /// Returns the valid signatures of a request, by name.
    pub(super) fn signatures(self, request: &RequestFacts<'_>) -> Map<String, Json> {
        let roots = request.roots(&self.account.roots());
        let rules = self.account.platform.requests.signatures.iter();
        rules.map(|(name, rule)| (name.clone(), rule.sign(request, &roots).into())).collect()
    }

    /// Returns the headers of a request with these signatures, by name.
    pub(super) fn headers_with(
        self,
        request: &RequestFacts<'_>,
        signatures: &Map<String, Json>,
    ) -> Vec<(String, String)> {
        // Signatures do not cover headers, so they are computed before the headers.
        let account = self.account.roots();
        let roots = request.roots(&account).with("signature", signatures);
        let sent = self.sent(request.purpose);
        sent.map(|rule| (rule.name.clone(), request.render(&rule.value, &roots))).collect()
    }

    /// Returns the header rules of requests for this purpose.
    pub(super) fn sent(self, purpose: Purpose) -> impl Iterator<Item = &'a HeaderRule> {
        let rules = self.account.platform.requests.headers.iter();
        rules.filter(move |rule| {
            rule.only.is_none_or(|only| only == purpose) && rule.when.hold(&self.account.options)
        })
    }

    /// Returns the headers with `<body>`, `<signature>` and the like in place of these values, for
    /// display. Several signatures have their names: `<signature.NAME>`.
    pub(super) fn header_patterns(self, purpose: Purpose) -> Vec<(String, String)> {
        let rules = &self.account.platform.requests.signatures;
        let shown = |name: &String| match rules.len() {
            1 => "<signature>".to_owned(),
            _ => format!("<signature.{name}>"),
        };
        let signatures: Map<String, Json> =
            rules.iter().map(|(name, _)| (name.clone(), shown(name).into())).collect();
        let roots = self
            .account
            .roots()
            .with_value("body", "<body>".into())
            .with_value("attempt", Value::Int(1))
            .with("signature", &signatures);
        let pattern = |rule: &HeaderRule| {
            let mut captured = CapturedTexts::default();
            rule.value.describe(SENDER_ROOTS, |path| format!("<{path}>"), &mut captured);
            (rule.name.clone(), rule.value.render_captured(&roots, &captured))
        };
        self.sent(purpose).map(pattern).collect()
    }
}
