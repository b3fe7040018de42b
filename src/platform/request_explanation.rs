//! Explains one request as a receiver would verify it: from what is signed to the header.

use super::account::Account;
use super::explain::ReceiverGuide;
use super::forms::Purpose;
use super::request::SignatureRule;
use super::request_facts::{RequestFacts, capture};
use super::signing::Signing;
use crate::base::references;
use crate::base::secret::Secret;
use crate::template::CapturedTexts;

/// What proves that a request comes from the vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestExplanation {
    /// How a receiver verifies requests of this vendor.
    pub instructions: String,
    /// The signatures; empty if the vendor signs nothing.
    pub signatures: Vec<SignatureExplanation>,
    /// Names of the headers that contain a token.
    pub token_headers: Vec<String>,
}

/// How one signature of a request is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureExplanation {
    /// The header that contains it.
    pub header: String,
    /// The algorithm, such as `hmac-sha256`.
    pub algorithm: String,
    /// The encoding of the result, such as `hex`.
    pub encoding: String,
    /// The encoding of the key, such as `text`.
    pub key_encoding: String,
    /// Names of the secrets that the key is made of.
    pub secrets: Vec<String>,
    /// The signed text.
    pub content: String,
    /// Whether the signed text is the request body and nothing else.
    pub signs_body_only: bool,
    /// The signature that a receiver computes.
    pub computed: String,
    /// The value of the header; `None` if it is missing.
    pub received: Option<String>,
    /// Whether the header contains the computed signature.
    pub matches: bool,
}

/// A request whose references to secrets are replaced by the secrets.
#[derive(Clone, Debug)]
pub struct RestoredRequest {
    /// The request body.
    pub body: String,
    /// The request headers, in order.
    pub headers: Vec<(String, String)>,
}

/// Attempts that are tried: a header may contain the number, which a receiver does not know.
const ATTEMPTS: u32 = 10;

impl RestoredRequest {
    /// Restores a request of an account from its records.
    pub fn new(account: &Account, body: &str, headers: &[(String, String)]) -> Self {
        let fill = |text: &str| {
            references::resolve(text, |name| {
                let secret = account.secrets.get(name.strip_prefix("secret.")?)?;
                Some(secret.expose().to_owned())
            })
        };
        let headers = headers.iter().map(|(name, value)| (name.clone(), fill(value)));
        Self { body: fill(body), headers: headers.collect() }
    }

    /// Returns the value of a header, ignoring the case of its name.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }

    /// Explains how a receiver verifies the request.
    pub fn explain(&self, account: &Account) -> RequestExplanation {
        let patterns = Signing::of(account).header_patterns(Purpose::Event);
        let tokens = patterns.iter().filter(|(_, value)| account.contains_secret(value));
        let rules = &account.platform.requests.signatures;
        let explained = rules.iter().filter_map(|(name, rule)| {
            let placeholder = match rules.len() {
                1 => "<signature>".to_owned(),
                _ => format!("<signature.{name}>"),
            };
            let sent = patterns.iter().find(|(_, value)| value.contains(&placeholder));
            sent.map(|(header, _)| self.signature(account, rule, header))
        });
        RequestExplanation {
            instructions: ReceiverGuide::of(account).verification(),
            signatures: explained.collect(),
            token_headers: tokens.map(|(name, _)| name.clone()).collect(),
        }
    }

    fn signature(
        &self,
        account: &Account,
        rule: &SignatureRule,
        header: &str,
    ) -> SignatureExplanation {
        let (roots, mut captured) = (account.roots(), CapturedTexts::default());
        for sent in Signing::of(account).sent(Purpose::Event) {
            if let Some(value) = self.header(&sent.name) {
                capture(&sent.value, &value, &roots, &mut captured);
            }
        }
        let request = RequestFacts::received(Purpose::Event, &self.body, &captured);
        let received = self.header(header);
        let sign = |attempt: u32| {
            let request = request.with_attempt(attempt);
            let roots = request.roots(&roots);
            (request.render(&rule.content, &roots), rule.sign(&request, &roots))
        };
        let is_received = |(_, computed): &(String, String)| {
            received.as_ref().is_some_and(|received| received.contains(computed))
        };
        let matching = (1..=ATTEMPTS).map(sign).find(is_received);
        let matches = matching.is_some();
        let (content, computed) = matching.unwrap_or_else(|| sign(1));
        let key = rule.key.render(&roots);
        let in_key =
            |secret: &Secret| secret.expose().contains(&key) || key.contains(secret.expose());
        let secrets = account.secrets.iter().filter(|(_, secret)| in_key(secret));
        let method = rule.method(&roots).ok();
        SignatureExplanation {
            header: header.to_owned(),
            algorithm: method.map(|(algorithm, _)| algorithm.to_string()).unwrap_or_default(),
            encoding: method.map(|(_, encoding)| encoding.to_string()).unwrap_or_default(),
            key_encoding: rule.key_encoding.to_string(),
            secrets: secrets.map(|(name, _)| name.clone()).collect(),
            signs_body_only: content == self.body,
            content,
            computed,
            received,
            matches,
        }
    }
}
