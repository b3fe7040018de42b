//! Macro for enums that are written as strings, such as the roles.

use crate::base::text::one_of;
use crate::diag::code;
use crate::diag::node::SyntaxNode;
use crate::diag::problem::Problem;
use crate::diag::scalar::unexpected_type;

/// Declares an enum of unit variants, each with its string: conversion in both directions, serde,
/// the reader for files and the JSON Schema.
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
            /// All strings, in the order of declaration.
            $vis const NAMES: &[&str] = &[$($word),*];
            /// All variants, in the order of declaration.
            $vis const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the string of the variant.
            $vis fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }

            /// Returns the variant with this string.
            $vis fn from_name(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = <String as serde::Deserialize>::deserialize(from)?;
                let unknown = || serde::de::Error::unknown_variant(&word, Self::NAMES);
                Self::from_name(&word).ok_or_else(unknown)
            }
        }

        impl $crate::diag::Scalar for $name {
            fn parse_node(node: &$crate::diag::SyntaxNode) -> Result<Self, $crate::diag::Problem> {
                $crate::diag::string_enum::parse_node(node, Self::from_name, Self::NAMES)
            }

            fn schema() -> serde_json::Value {
                serde_json::json!({"enum": Self::NAMES})
            }

            fn parse_lenient(node: &$crate::diag::SyntaxNode) -> Option<Self> {
                // A typo that has a suggestion is treated as that value.
                let words = Self::NAMES.iter().copied();
                Self::from_name($crate::base::text::nearest(node.as_text()?, words)?)
            }
        }
    };
}

/// Reads a string enum from a node. [`string_enum!`](crate::string_enum) calls it.
pub fn parse_node<T>(
    node: &SyntaxNode,
    from_name: fn(&str) -> Option<T>,
    words: &[&'static str],
) -> Result<T, Problem> {
    let expected = one_of(words.iter().copied());
    let Some(text) = node.as_text() else { return Err(unexpected_type(node, &expected)) };
    from_name(text).ok_or_else(|| {
        let message = format!("expected {expected}, found `{text}`");
        let problem = Problem::at(&node.span, code::UNKNOWN_VALUE, message);
        problem.suggest(text, words.iter().copied())
    })
}
