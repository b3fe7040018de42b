//! The supported signature algorithms and encodings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

crate::string_enum! {
    /// A signature algorithm.
    pub enum Algorithm {
        /// HMAC with SHA-1.
        HmacSha1 = "hmac-sha1",
        /// HMAC with SHA-256.
        HmacSha256 = "hmac-sha256",
        /// HMAC with SHA-512.
        HmacSha512 = "hmac-sha512",
    }
}

crate::string_enum! {
    /// The encoding of a signature.
    pub enum Encoding {
        /// Base64 in the standard alphabet, with padding.
        Base64 = "base64",
        /// Lower-case hexadecimal.
        Hex = "hex",
    }
}

crate::string_enum! {
    /// How the text of a key gives the bytes to sign with.
    pub enum KeyEncoding {
        /// The bytes of the text itself.
        Text = "text",
        /// Base64 in the standard alphabet, with padding.
        Base64 = "base64",
        /// Hexadecimal, in any case.
        Hex = "hex",
    }
}

impl KeyEncoding {
    /// Returns the bytes of a key, or `None` if the text does not have this encoding.
    pub fn decode(self, key: &str) -> Option<Vec<u8>> {
        match self {
            Self::Text => Some(key.as_bytes().to_vec()),
            Self::Base64 => STANDARD.decode(key).ok(),
            Self::Hex => hex::decode(key).ok(),
        }
    }
}

/// Signs content with a key of any length and encodes the result.
pub fn sign(algorithm: Algorithm, key: &[u8], content: &[u8], encoding: Encoding) -> String {
    encoding.encode(&code_of(algorithm, key, content))
}

impl Encoding {
    /// Encodes the bytes of a signature.
    pub(super) fn encode(self, code: &[u8]) -> String {
        match self {
            Self::Base64 => STANDARD.encode(code),
            Self::Hex => hex::encode(code),
        }
    }
}

/// Returns the plain hash of a content, with the hash function of an algorithm.
pub(super) fn hash_of(algorithm: Algorithm, content: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::HmacSha1 => Sha1::digest(content).to_vec(),
        Algorithm::HmacSha256 => Sha256::digest(content).to_vec(),
        Algorithm::HmacSha512 => Sha512::digest(content).to_vec(),
    }
}

/// Returns the bytes of a signature.
pub(super) fn code_of(algorithm: Algorithm, key: &[u8], content: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::HmacSha1 => code::<Hmac<Sha1>>(key, content),
        Algorithm::HmacSha256 => code::<Hmac<Sha256>>(key, content),
        Algorithm::HmacSha512 => code::<Hmac<Sha512>>(key, content),
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn code<M: Mac + KeyInit>(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(content);
    mac.finalize().into_bytes().to_vec()
}
