//! JSON Web Tokens, signed with a key of the account.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::crypto::{CryptoProvider, JwkUtils, JwtSigner, JwtVerifier};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use serde_json::{Map, Value as Json};

crate::string_enum! {
    /// How tokens are signed.
    pub enum TokenAlgorithm {
        /// HMAC with SHA-256. The key is a text.
        Hs256 = "HS256",
        /// RSA with SHA-256. The key is a PKCS#8 document in base64.
        Rs256 = "RS256",
    }
}

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

/// A private RSA key.
struct RsaSigner(RsaKeyPair);

impl Signer<Vec<u8>> for RsaSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map(|()| signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for RsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

/// A public RSA key: a PKCS#1 document.
struct RsaVerifier(Vec<u8>);

impl Verifier<Vec<u8>> for RsaVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0);
        key.verify(message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for RsaVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

// The providers of the crate would compile a second set of cryptographic libraries.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::RS256 => {
            let key = RsaKeyPair::from_pkcs8(key.inner());
            let key = key.map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?;
            Ok(Box::new(RsaSigner(key)))
        }
        _ => Ok(Box::new(HmacKey::new(key.try_get_hmac_secret()?))),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::RS256 => Ok(Box::new(RsaVerifier(key.as_bytes().to_vec()))),
        _ => Ok(Box::new(HmacKey::new(key.try_get_hmac_secret()?))),
    },
    jwk_utils: JwkUtils::new_unimplemented(),
};

fn install_provider() {
    // It fails if the provider is installed already.
    let _ = PROVIDER.install_default();
}

/// Reads a private RSA key: a PKCS#8 document in base64. Returns the document and its public key.
fn rsa_key(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let document = STANDARD.decode(text.trim()).ok()?;
    let public = RsaKeyPair::from_pkcs8(&document).ok()?.public().as_ref().to_vec();
    Some((document, public))
}

impl TokenAlgorithm {
    fn in_header(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Rs256 => Algorithm::RS256,
        }
    }

    /// Returns a token with these claims; `None` if the key is not valid. `kid` is the name of the key
    /// in its header.
    pub(super) fn sign(
        self,
        key: &str,
        kid: Option<&str>,
        claims: &Map<String, Json>,
    ) -> Option<String> {
        install_provider();
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(self.in_header()) };
        let key = match self {
            Self::Hs256 => EncodingKey::from_secret(key.as_bytes()),
            Self::Rs256 => EncodingKey::from_rsa_der(&rsa_key(key)?.0),
        };
        encode(&header, claims, &key).ok()
    }

    /// Returns the claims of a token that was signed with this key, expired or not.
    pub(super) fn verify(self, key: &str, token: &str) -> Option<Map<String, Json>> {
        install_provider();
        let mut validation = Validation::new(self.in_header());
        // The account compares the claims, and knows the time of the call.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        let key = match self {
            Self::Hs256 => DecodingKey::from_secret(key.as_bytes()),
            Self::Rs256 => DecodingKey::from_rsa_der(&rsa_key(key)?.1),
        };
        decode(token, &key, &validation).ok().map(|decoded| decoded.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_the_same_key_are_valid() {
        let claims = Map::from_iter([("aud".to_owned(), Json::from("7"))]);
        let hs256 = TokenAlgorithm::Hs256;
        let token = hs256.sign("one key", Some("k1"), &claims).unwrap();
        assert_eq!(hs256.verify("one key", &token), Some(claims.clone()));
        assert_eq!(hs256.verify("another key", &token), None);
        assert_eq!(hs256.verify("one key", "made.up.token"), None);
        // A token that claims to need no signature.
        let (_, rest) = token.split_once('.').unwrap();
        assert_eq!(hs256.verify("one key", &format!("eyJhbGciOiJub25lIn0.{rest}")), None);
        // RS256 needs the text of an RSA key, and refuses tokens of HS256.
        let rs256 = TokenAlgorithm::Rs256;
        assert_eq!(rs256.sign("one key", None, &claims), None);
        assert_eq!(rs256.verify("one key", &token), None);
    }
}
