//! Templates: JSON and text with placeholders.
//!
//! A [`JsonTemplate`] is compiled once, when a vendor's platform is loaded, against the types of
//! the values that its placeholders may name. The compiler reports every mistake, so rendering can
//! fail only because of size. Rendering writes literal chunks and values directly into a string, in
//! the vendor's JSON style.
//!
//! The layers above define what the placeholders mean: they pass a [`CompileContext`] to compile
//! with and an [`Object`] to render from.

mod body_edit;
mod captured;
mod compile;
mod construct;
mod context;
mod expr;
mod field_type;
mod filter;
mod generated_text;
mod input;
mod json_style;
mod json_template;
mod member;
mod op_buffer;
mod placeholder;
mod text_template;
mod value;
mod word_table;

pub use body_edit::{BodyEdit, EditableBody};
pub use captured::CapturedTexts;
pub use compile::{compile, compile_positional};
pub use context::CompileContext;
pub use field_type::{Field, FieldType, TableType};
pub use filter::parse_instant;
pub use generated_text::GeneratedText;
pub use input::{InputError, InputTemplate, ValuePath};
pub use json_style::{JsonSpacing, JsonStyle};
pub use json_template::{JsonTemplate, TooLarge};
pub use text_template::{TextRules, TextTemplate};
pub use value::{Object, ObjectField, Value, field_value, table_type};
pub use word_table::{DefaultWord, WordTable};
