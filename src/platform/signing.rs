//! The headers of an account's requests, signatures included.

use super::account::Account;
use super::forms::Purpose;
use super::request::HeaderRule;
use crate::template::Value;

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

    /// Returns the headers of an event request in the vendor's order. `attempt` starts at 1; some
    /// vendors send it, so each attempt is signed separately.
    pub fn headers(self, body: &str, attempt: u32) -> Vec<(String, String)> {
        self.headers_with_signature(Purpose::Event, body, attempt, None)
    }

    /// Returns the headers of the handshake request.
    pub fn handshake_headers(self, body: &str) -> Vec<(String, String)> {
        self.headers_with_signature(Purpose::Handshake, body, 1, None)
    }

    /// Returns the headers of an event request that contain a signature or a secret: those by
    /// which a receiver verifies it.
    pub fn credential_headers(self, body: &str, attempt: u32) -> Vec<(String, String)> {
        // A header whose value changes with the signature contains it.
        let unsigned = self.headers_with_signature(Purpose::Event, body, attempt, Some(""));
        let both = self.headers(body, attempt).into_iter().zip(unsigned);
        both.filter(|(sent, unsigned)| sent != unsigned || self.account.contains_secret(&sent.1))
            .map(|(sent, _)| sent)
            .collect()
    }

    /// Returns the headers of a request with this signature; `None` computes the valid one.
    pub(super) fn headers_with_signature(
        self,
        purpose: Purpose,
        body: &str,
        attempt: u32,
        signature: Option<&str>,
    ) -> Vec<(String, String)> {
        let rules = &self.account.platform.requests;
        let roots = self
            .account
            .roots()
            .with_value("body", Value::from(body))
            .with_value("attempt", Value::Int(i64::from(attempt)));
        // The signature covers the body only, so it is computed before the headers that contain it.
        let valid = rules.signature.as_ref().map(|rule| rule.sign(&roots));
        let signature = signature.or(valid.as_deref());
        let roots = roots.with_value("signature", Value::maybe(signature));
        let sent = rules.headers.iter().filter(|header| self.sends(header, purpose));
        sent.map(|header| (header.name.clone(), header.value.render(&roots))).collect()
    }

    /// Returns the headers with `<body>` and `<signature>` in place of these values, for display.
    pub(super) fn header_patterns(self, purpose: Purpose) -> Vec<(String, String)> {
        let roots = self
            .account
            .roots()
            .with_value("body", "<body>".into())
            .with_value("attempt", Value::Int(1))
            .with_value("signature", "<signature>".into());
        let headers = self.account.platform.requests.headers.iter();
        let sent = headers.filter(|header| self.sends(header, purpose));
        sent.map(|header| (header.name.clone(), header.value.render(&roots))).collect()
    }

    fn sends(self, header: &HeaderRule, purpose: Purpose) -> bool {
        header.only.is_none_or(|only| only == purpose) && header.when.hold(&self.account.options)
    }
}
