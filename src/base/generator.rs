//! Made values: ids, tokens and numbers in the forms that vendors use, such as `hex:32`.

use std::fmt;

use rand::rngs::ChaCha8Rng;
use rand::{Rng as _, RngExt as _};
use uuid::{Builder, Variant, Version};

const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const BASE36: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
const ALNUM: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const NANOID: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-";
/// The longest text that can be made.
const MAX_LENGTH: usize = 256;

/// How a value is made, as written behind `new.`: `uuid4`, `digits:12`, `int:1..9`.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueGenerator {
    /// A UUID that says of itself which version it is.
    Uuid(Version),
    /// So many characters of an alphabet.
    Text(String, usize),
    /// An integer between two, both included.
    Int(i64, i64),
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneratedValue {
    /// A text.
    Text(String),
    /// An integer.
    Int(i64),
}

impl ValueGenerator {
    /// The spellings that [`ValueGenerator::parse`] takes, for help lines.
    pub const FORMS: &[&str] = &[
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

    /// Reads the form of a made value; the error says what is wrong with it.
    pub fn parse(form: &str) -> Result<Self, String> {
        let (name, argument) = form.split_once(':').unwrap_or((form, ""));
        match name {
            "uuid4" if argument.is_empty() => Ok(Self::Uuid(Version::Random)),
            "uuid5" if argument.is_empty() => Ok(Self::Uuid(Version::Sha1)),
            "hex" => Ok(Self::Text(HEX.into(), length(argument)?)),
            "digits" => Ok(Self::Text(DIGITS.into(), length(argument)?)),
            "base36" => Ok(Self::Text(BASE36.into(), length(argument)?)),
            "alnum" => Ok(Self::Text(ALNUM.into(), length(argument)?)),
            "nanoid" => Ok(Self::Text(NANOID.into(), length(argument)?)),
            "alphabet" => {
                let (characters, count) =
                    argument.rsplit_once(':').ok_or("`alphabet` is written `alphabet:CHARS:N`")?;
                if characters.is_empty() {
                    return Err("`alphabet` needs at least one character".into());
                }
                Ok(Self::Text(characters.into(), length(count)?))
            }
            "int" => range(argument),
            _ => Err(format!("nothing is made in the form `{form}`")),
        }
    }

    /// Whether an integer is made.
    pub fn is_int(&self) -> bool {
        matches!(self, Self::Int(..))
    }

    /// Makes the value. Texts of digits do not begin with a zero, since vendors' ids do not.
    pub fn generate(&self, rng: &mut ChaCha8Rng) -> GeneratedValue {
        match self {
            Self::Uuid(version) => {
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
            let first = usize::from(at == 0 && alphabet == DIGITS);
            characters[rng.random_range(first..characters.len())]
        })
        .collect()
}

fn length(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(length @ 1..=MAX_LENGTH) => Ok(length),
        _ => Err(format!("a length is a number from 1 to {MAX_LENGTH}, not `{text}`")),
    }
}

fn range(text: &str) -> Result<ValueGenerator, String> {
    let wrong = || format!("a range of integers is written `int:100..999`, not `int:{text}`");
    let (low, high) = text.split_once("..").ok_or_else(wrong)?;
    match (low.parse(), high.parse()) {
        (Ok(low), Ok(high)) if low <= high => Ok(ValueGenerator::Int(low, high)),
        _ => Err(wrong()),
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

    fn made(form: &str) -> String {
        ValueGenerator::parse(form)
            .unwrap()
            .generate(&mut SeedScope::of_run(1).rng(form))
            .to_string()
    }

    #[test]
    fn each_form_makes_what_it_says() {
        let uuid = made("uuid4");
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert_eq!(&made("uuid5")[14..15], "5");
        assert!(made("hex:32").chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()));
        assert!(made("alphabet:ab:9").chars().all(|c| c == 'a' || c == 'b'));
        assert_eq!(made("nanoid:21").len(), 21);
        assert!((100..=999).contains(&made("int:100..999").parse().unwrap()));
        for seed in 0..200 {
            let digits = ValueGenerator::parse("digits:4")
                .unwrap()
                .generate(&mut SeedScope::of_run(seed).rng("x"));
            assert!(!digits.to_string().starts_with('0'));
        }
    }

    #[test]
    fn wrong_forms_are_refused() {
        for wrong in [
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
            assert!(ValueGenerator::parse(wrong).is_err(), "{wrong} was taken");
        }
    }
}
