//! Reading of user files, and diagnostics about them.
//!
//! A file is a [`Source`]. [`toml`] and [`json`] parse it into [`SyntaxNode`]s, each with its
//! [`SourceSpan`]. [`form`] converts nodes into Rust types and collects all [`Problems`].
//! [`render`] prints the problems with the source lines. Higher layers check the meaning of a file.

pub mod code;
pub mod collections;
mod entry_name;
pub mod form;
pub mod json;
pub mod node;
pub mod problem;
pub mod render;
pub mod scalar;
pub mod source;
pub mod string_enum;
mod syntax_help;
pub mod toml;
mod toml_errors;

pub use code::Code;
pub use collections::{NonEmpty, OneOrMore, TableOf};
pub use form::{Form, Spanned};
pub use node::{Key, NodeContent, SyntaxNode, Table};
pub use problem::{Problem, Problems};
pub use scalar::Scalar;
pub use source::{Source, SourceSpan};
