//! How a receiver verifies the requests of an account, as far as a few facts describe it.

use jiff::Timestamp;

use super::account::Account;
use super::request::SignatureRule;
use super::request_facts::RequestFacts;
use super::signature::{Algorithm, Encoding, KeyEncoding, sign};
use super::signing::Signing;

/// How a receiver verifies the events of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerificationScheme {
    /// Events cannot be verified.
    Nothing,
    /// A header has a secret.
    Token(CredentialHeader),
    /// A header has a signature of the raw body, with a secret as its key.
    Hmac(CredentialHeader, Algorithm, Encoding),
    /// Another way, described in words by [`ReceiverGuide`](super::ReceiverGuide).
    Other,
}

/// A header that proves the origin of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialHeader {
    /// Name of the header.
    pub name: String,
    /// Text before the token or signature.
    pub prefix: String,
    /// Name of the secret.
    pub secret: String,
}

/// What a handshake requires of the body of the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EchoScheme {
    /// Any body passes, or there is no handshake.
    Nothing,
    /// It must have a secret.
    Secret(SecretEcho),
    /// Something else.
    Other,
}

/// A handshake whose response has a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretEcho {
    /// Name of the secret.
    pub secret: String,
    /// Key of the secret in the body of the request, which may have it, and of the response.
    pub key: String,
}

/// Bodies with which a guess of the signature is compared.
const SAMPLES: [&str; 2] = ["{}", "{\"a\": 1}\n"];

impl VerificationScheme {
    /// Returns how a receiver verifies the events of this account.
    pub fn of(account: &Account) -> Self {
        let signing = Signing::of(account);
        let facts = |body| RequestFacts::of_event(body, 1, Timestamp::UNIX_EPOCH, None);
        let sent = signing.credential_headers(&facts(SAMPLES[0]));
        let [(header, value)] = sent.as_slice() else {
            let is_nothing = sent.is_empty() && !account.platform.sends_secret;
            return if is_nothing { Self::Nothing } else { Self::Other };
        };
        let named = |prefix: &str, secret: &str| CredentialHeader {
            name: header.clone(),
            prefix: prefix.to_owned(),
            secret: secret.to_owned(),
        };
        for (secret, exposed) in &account.secrets {
            if let Some(prefix) = value.strip_suffix(exposed.expose()) {
                return Self::Token(named(prefix, secret));
            }
        }
        let signatures = signing.signatures(&facts(SAMPLES[0]));
        for (name, rule) in &account.platform.requests.signatures {
            let signature = signatures.get(name).and_then(|text| text.as_str()).unwrap_or_default();
            if let Some(prefix) = value.strip_suffix(signature).filter(|_| !signature.is_empty())
                && let Some((secret, algorithm, encoding)) = body_signature(account, rule)
            {
                return Self::Hmac(named(prefix, &secret), algorithm, encoding);
            }
        }
        Self::Other
    }
}

/// Returns the key and the method of a signature that covers the raw body and nothing else.
fn body_signature(
    account: &Account,
    rule: &SignatureRule,
) -> Option<(String, Algorithm, Encoding)> {
    let roots = account.roots();
    let (algorithm, encoding) = rule.method(&roots).ok()?;
    if rule.key_encoding != KeyEncoding::Text {
        return None;
    }
    let key = rule.key.render(&roots);
    let (secret, _) = account.secrets.iter().find(|(_, secret)| secret.expose() == key)?;
    let covers_body_only = SAMPLES.iter().all(|body| {
        let facts = RequestFacts::of_event(body, 1, Timestamp::UNIX_EPOCH, None);
        let signed = rule.sign(&facts, &facts.roots(&roots));
        signed == sign(algorithm, key.as_bytes(), body.as_bytes(), encoding)
    });
    covers_body_only.then(|| (secret.clone(), algorithm, encoding))
}

impl EchoScheme {
    /// Returns what the handshake of this account requires of the response.
    pub fn of(account: &Account) -> Self {
        let proof = account.platform.handshake.proof.as_ref();
        let Some(proof) = proof.filter(|proof| proof.has_echo()) else { return Self::Nothing };
        let (Some(key), false) = (&proof.echo_key, proof.sends_challenge()) else {
            return Self::Other;
        };
        let response = proof.response_body(&account.roots(), "");
        let response: serde_json::Value = serde_json::from_str(&response).unwrap_or_default();
        let echoed = response[key].as_str().unwrap_or_default();
        let mut secrets = account.secrets.iter();
        match secrets.find(|(_, secret)| secret.expose() == echoed) {
            Some((secret, _)) => {
                Self::Secret(SecretEcho { secret: secret.clone(), key: key.clone() })
            }
            None => Self::Other,
        }
    }
}
