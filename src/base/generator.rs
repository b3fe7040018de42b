//! Generators for ids, tokens and numbers in the formats that vendors use, such as `hex:32`.

use std::fmt;

use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, RngExt as _};
use uuid::{Builder, Variant, Version};

const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const BASE36: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
// The order of characters decides which one a random number selects, so it must not change.
const ALNUM: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const NANOID: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-";
/// Maximum length of a generated string, in characters. No known vendor uses longer tokens.
const MAX_LENGTH: usize = 256;

/// Generator for the value of a `${new.FORMAT}` placeholder: `uuid4`, `digits:12`, `int:1..9`.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueGenerator {
    /// A UUID with random bits and this version number.
    Uuid(Version),
    /// A string: its alphabet, and its length in characters.
    Text(String, usize),
    /// An integer between two bounds, both included.
    Int(i64, i64),
}

/// Output of a [`ValueGenerator`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneratedValue {
    /// A string.
    Text(String),
    /// An integer.
    Int(i64),
}

impl ValueGenerator {
    /// Formats that [`ValueGenerator::parse`] accepts, for help texts.
    pub const FORMATS: &[&str] = &[
        "uuid4",
        "uuid5",
        "hex:N",
        "digits:N",
        "base36:N",
        "alnum:N",
        "nanoid:N",
        "alphabet:CHARS:N",
        "int:LO..HI",
    ];

    /// Parses a format. The error is a message for the user.
    pub fn parse(format: &str) -> Result<Self, String> {
        let (name, argument) = format.split_once(':').unwrap_or((format, ""));
        match name {
            "uuid4" if argument.is_empty() => Ok(Self::Uuid(Version::Random)),
            "uuid5" if argument.is_empty() => Ok(Self::Uuid(Version::Sha1)),
            "hex" => Ok(Self::Text(HEX.into(), length(argument)?)),
            "digits" => Ok(Self::Text(DIGITS.into(), length(argument)?)),
            "base36" => Ok(Self::Text(BASE36.into(), length(argument)?)),
            "alnum" => Ok(Self::Text(ALNUM.into(), length(argument)?)),
            "nanoid" => Ok(Self::Text(NANOID.into(), length(argument)?)),
            "alphabet" => {
                // The last colon separates the length: the alphabet itself may contain colons.
                let (characters, count) = argument
                    .rsplit_once(':')
                    .ok_or("`alphabet` must have the form `alphabet:CHARS:N`")?;
                if characters.is_empty() {
                    return Err("`alphabet` needs at least one character".into());
                }
                Ok(Self::Text(characters.into(), length(count)?))
            }
            "int" => range(argument),
            _ => Err(format!("unknown format `{format}`")),
        }
    }

    /// Returns true if the generated value is an integer.
    pub fn is_int(&self) -> bool {
        matches!(self, Self::Int(..))
    }

    /// Generates a value. A string of digits never starts with zero, because vendors' ids do not.
    pub fn generate(&self, rng: &mut ChaCha8Rng) -> GeneratedValue {
        match self {
            Self::Uuid(version) => {
                // Random bits for both versions: a reader of the id sees the version number only.
                let mut bits = [0; 16];
                rng.fill_bytes(&mut bits);
                let builder = Builder::from_bytes(bits).with_variant(Variant::RFC4122);
                GeneratedValue::Text(builder.with_version(*version).into_uuid().to_string())
            }
            Self::Text(alphabet, length) => GeneratedValue::Text(text(alphabet, *length, rng)),
            Self::Int(low, high) => GeneratedValue::Int(rng.random_range(*low..=*high)),
        }
    }
}

fn text(alphabet: &str, length: usize, rng: &mut ChaCha8Rng) -> String {
    let characters: Vec<char> = alphabet.chars().collect();
    (0..length)
        .map(|at| {
            // Skips the character `0` at the start of an id of digits.
            let first = usize::from(at == 0 && alphabet == DIGITS);
            characters[rng.random_range(first..characters.len())]
        })
        .collect()
}

fn length(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(length @ 1..=MAX_LENGTH) => Ok(length),
        _ => Err(format!("the length must be between 1 and {MAX_LENGTH}, found `{text}`")),
    }
}

fn range(text: &str) -> Result<ValueGenerator, String> {
    let invalid = || format!("invalid range `int:{text}`: expected a form such as `int:100..999`");
    let (low, high) = text.split_once("..").ok_or_else(invalid)?;
    match (low.parse(), high.parse()) {
        (Ok(low), Ok(high)) if low <= high => Ok(ValueGenerator::Int(low, high)),
        _ => Err(invalid()),
    }
}

impl fmt::Display for GeneratedValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Int(int) => int.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::SeedScope;

    fn generated(format: &str) -> String {
        ValueGenerator::parse(format)
            .unwrap()
            .generate(&mut SeedScope::of_run(1).rng(format))
            .to_string()
    }

    #[test]
    fn each_format_generates_matching_values() {
        let uuid = generated("uuid4");
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert_eq!(&generated("uuid5")[14..15], "5");
        assert!(
            generated("hex:32").chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())
        );
        assert!(generated("alphabet:ab:9").chars().all(|c| c == 'a' || c == 'b'));
        assert_eq!(generated("nanoid:21").len(), 21);
        assert!((100..=999).contains(&generated("int:100..999").parse().unwrap()));
        for seed in 0..200 {
            let digits = ValueGenerator::parse("digits:4")
                .unwrap()
                .generate(&mut SeedScope::of_run(seed).rng("x"));
            assert!(!digits.to_string().starts_with('0'));
        }
    }

    #[test]
    fn invalid_formats_are_rejected() {
        for invalid in [
            "uuid",
            "uuid4:1",
            "hex",
            "hex:0",
            "hex:x",
            "hex:257",
            "int:9..1",
            "int:1",
            "alphabet::3",
            "alphabet:3",
        ] {
            assert!(ValueGenerator::parse(invalid).is_err(), "{invalid} was accepted");
        }
    }
}
