//! Templates: JSON with holes, and lines of text with holes.
//!
//! A [`Body`] is compiled once, at load, against a table of the names that its holes may use; every
//! mistake is found then, so that rendering can only fail by size. It becomes literal chunks and
//! slots that are written straight into bytes, in the vendor's own spelling of JSON.
//!
//! What the names stand for is left to the layers above: they give a [`Names`] table to compile
//! against and an [`Object`] to render from.

mod compile;
mod expr;
mod field_type;
mod filter;
mod json_style;
mod json_template;
mod member;
mod placeholder;
mod text_template;
mod value;
mod word_table;

pub use compile::{CompileContext, compile};
pub use field_type::{Field, FieldType, TableType};
pub use json_style::{JsonSpacing, JsonStyle};
pub use json_template::{JsonTemplate, TooLarge};
pub use text_template::{TextRules, TextTemplate};
pub use value::{Object, ObjectField, Value, find, names};
pub use word_table::WordTable;
