//! The headers and the signature of a request.

use super::Account;
use super::forms::Purpose;
use super::roots::Roots;
use super::signature::{Algorithm, Encoding, sign};
use crate::template::{Line, Value};

/// How a vendor's requests are dressed.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) headers: Vec<HeaderRule>,
    pub(super) signature: Option<SignatureRule>,
}

/// One header.
#[derive(Clone, Debug)]
pub(super) struct HeaderRule {
    pub(super) name: String,
    pub(super) value: Line,
    pub(super) only: Option<Purpose>,
    /// Options, each with the values under which the header is sent.
    pub(super) when: Vec<(String, Vec<String>)>,
}

/// How a signature is made.
#[derive(Clone, Debug)]
pub(super) struct SignatureRule {
    pub(super) algorithm: Line,
    pub(super) key: Line,
    pub(super) content: Line,
    pub(super) encoding: Line,
}

impl Account {
    /// The headers of an event's request with this body, in order: the vendor's names and values. A
    /// signature is made anew for each attempt.
    pub fn headers(&self, body: &str, attempt: u32) -> Vec<(String, String)> {
        self.headers_for(Purpose::Event, body, attempt)
    }

    /// The headers of the handshake's request.
    pub fn handshake_headers(&self, body: &str) -> Vec<(String, String)> {
        self.headers_for(Purpose::Handshake, body, 1)
    }

    fn headers_for(&self, purpose: Purpose, body: &str, attempt: u32) -> Vec<(String, String)> {
        let rules = &self.vendor.requests;
        let roots = self
            .roots()
            .with_value("body", Value::from(body))
            .with_value("attempt", Value::Int(i64::from(attempt)));
        let signature = rules.signature.as_ref().map(|rule| rule.sign(&roots));
        let roots = roots.with_value("signature", Value::maybe(signature.as_deref()));
        let sent = rules.headers.iter().filter(|header| self.sends(header, purpose));
        sent.map(|header| (header.name.clone(), header.value.render(&roots))).collect()
    }

    pub(super) fn sends(&self, header: &HeaderRule, purpose: Purpose) -> bool {
        let for_it = header.only.is_none_or(|only| only == purpose);
        for_it
            && header.when.iter().all(|(option, values)| {
                let chosen = self.options.get(option).and_then(serde_json::Value::as_str);
                chosen.is_some_and(|chosen| values.iter().any(|value| value == chosen))
            })
    }
}

impl SignatureRule {
    fn sign(&self, roots: &Roots<'_>) -> String {
        let (algorithm, encoding) = self.method(roots).unwrap_or(FALLBACK);
        let key = self.key.render(roots);
        let content = self.content.render(roots);
        sign(algorithm, key.as_bytes(), content.as_bytes(), encoding)
    }

    /// The algorithm and the encoding under these options, or the word that means nothing.
    pub(super) fn method(&self, roots: &Roots<'_>) -> Result<(Algorithm, Encoding), String> {
        let algorithm = self.algorithm.render(roots);
        let encoding = self.encoding.render(roots);
        match (Algorithm::of_word(&algorithm), Encoding::of_word(&encoding)) {
            (Some(algorithm), Some(encoding)) => Ok((algorithm, encoding)),
            (None, _) => Err(algorithm),
            (_, None) => Err(encoding),
        }
    }
}

/// Never used: `check` has tried every value of every option.
const FALLBACK: (Algorithm, Encoding) = (Algorithm::HmacSha256, Encoding::Hex);
