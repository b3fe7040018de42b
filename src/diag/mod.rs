//! Files that people write, and what is wrong with them.
//!
//! A file is a [`Source`]; [`toml`] and [`json`] read it into [`Node`]s that know their
//! [`Place`]; [`form`] reads nodes into Rust types and finds every problem on the way;
//! [`render`] draws the problems on the source. What a file means is left to the layers above.

pub mod code;
pub mod form;
pub mod json;
pub mod node;
pub mod problem;
pub mod render;
pub mod source;
pub mod string_enum;
pub mod toml;

pub use code::Code;
pub use form::{Form, NonEmpty, OneOrMore, Scalar, Spanned, TableOf};
pub use node::{Key, NodeContent, SyntaxNode, Table};
pub use problem::{Problem, Problems};
pub use source::{Source, SourceSpan};
