//! Closed sets of words, such as the roles: an enum with its spelling, its reader and its schema.

use crate::base::text::one_of;
use crate::diag::code;
use crate::diag::form::Scalar as _;
use crate::diag::node::SyntaxNode;
use crate::diag::problem::Problem;

/// Declares a closed set of words, such as the roles.
#[macro_export]
macro_rules! string_enum {
    (
        $(#[doc = $doc:literal])*
        $vis:vis enum $name:ident { $( $(#[doc = $about:literal])* $variant:ident = $word:literal, )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $( $(#[doc = $about])* $variant, )* }

        impl $name {
            /// Every word, in order.
            $vis const WORDS: &[&str] = &[$($word),*];
            /// Every value, in order.
            $vis const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it.
            $vis fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }

            /// What the word means.
            $vis fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.word())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = <String as serde::Deserialize>::deserialize(from)?;
                let unknown = || serde::de::Error::unknown_variant(&word, Self::WORDS);
                Self::of_word(&word).ok_or_else(unknown)
            }
        }

        impl $crate::diag::Scalar for $name {
            fn parse_node(node: &$crate::diag::SyntaxNode) -> Result<Self, $crate::diag::Problem> {
                $crate::diag::string_enum::parse_node(node, Self::of_word, Self::WORDS)
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({"enum": Self::WORDS})
            }

            fn parse_lenient(node: &$crate::diag::SyntaxNode) -> Option<Self> {
                let words = Self::WORDS.iter().copied();
                Self::of_word($crate::base::text::nearest(node.as_text()?, words)?)
            }
        }
    };
}

/// Reads one word of a closed set.
pub fn parse_node<T>(
    node: &SyntaxNode,
    of_word: fn(&str) -> Option<T>,
    words: &[&'static str],
) -> Result<T, Problem> {
    let text = String::parse_node(node)?;
    of_word(&text).ok_or_else(|| {
        let message = format!("`{text}` is not {}", one_of(words.iter().copied()));
        let problem = Problem::at(&node.span, code::UNKNOWN_WORD, message);
        problem.near(&text, words.iter().copied())
    })
}
