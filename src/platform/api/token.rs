//! JSON Web Tokens, signed with a key of the account.

use jsonwebtoken::crypto::{CryptoProvider, JwkUtils, JwtSigner, JwtVerifier};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use ring::hmac;
use serde_json::{Map, Value as Json};

/// A key of HMAC-SHA256.
struct HmacKey(hmac::Key);

impl HmacKey {
    fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

impl Signer<Vec<u8>> for HmacKey {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for HmacKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for HmacKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        hmac::verify(&self.0, message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for HmacKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

// The providers of the crate would compile a second set of cryptographic libraries.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, key| Ok(Box::new(HmacKey::new(key.try_get_hmac_secret()?))),
    verifier_factory: |_, key| Ok(Box::new(HmacKey::new(key.try_get_hmac_secret()?))),
    jwk_utils: JwkUtils::new_unimplemented(),
};

fn install_provider() {
    // It fails if the provider is installed already.
    let _ = PROVIDER.install_default();
}

/// Returns a token with these claims. `kid` is the name of the key in its header.
pub(super) fn sign(key: &str, kid: Option<&str>, claims: &Map<String, Json>) -> String {
    install_provider();
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
    // It cannot fail: claims are JSON, and a key of any length is valid.
    encode(&header, claims, &EncodingKey::from_secret(key.as_bytes())).unwrap_or_default()
}

/// Returns the claims of a token that was signed with this key, expired or not.
pub(super) fn verify(key: &str, token: &str) -> Option<Map<String, Json>> {
    install_provider();
    let mut validation = Validation::new(Algorithm::HS256);
    // The account compares the claims, and knows the time of the call.
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_secret(key.as_bytes());
    decode(token, &key, &validation).ok().map(|decoded| decoded.claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_the_same_key_are_valid() {
        let claims = Map::from_iter([("aud".to_owned(), Json::from("7"))]);
        let token = sign("one key", Some("k1"), &claims);
        assert_eq!(verify("one key", &token), Some(claims));
        assert_eq!(verify("another key", &token), None);
        assert_eq!(verify("one key", "made.up.token"), None);
        // A token that claims to need no signature.
        let (_, rest) = token.split_once('.').unwrap();
        assert_eq!(verify("one key", &format!("eyJhbGciOiJub25lIn0.{rest}")), None);
    }
}
