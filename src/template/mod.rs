//! Templates: JSON with holes, and lines of text with holes.
//!
//! A [`Body`] is compiled once, at load, against a table of the names that its holes may use; every
//! mistake is found then, so that rendering can only fail by size. It becomes literal chunks and
//! slots that are written straight into bytes, in the vendor's own spelling of JSON.
//!
//! What the names stand for is left to the layers above: they give a [`Names`] table to compile
//! against and an [`Object`] to render from.

mod body;
mod compile;
mod expr;
mod filter;
mod hole;
mod line;
mod member;
mod shape;
mod spell;
mod value;
mod words;

pub use body::{Body, TooLarge};
pub use compile::{Library, compile};
pub use line::{Line, LineRules};
pub use shape::{Name, Names, Shape};
pub use spell::{Spacing, Spelling};
pub use value::{Field, Object, Value, find, names};
pub use words::WordTable;
