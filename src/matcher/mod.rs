//! Matchers: conditions on the values of a response, declared in a scenario. Pure.
//!
//! The set of conditions is closed. A value that does not match yields mismatches: the field,
//! what was expected and what was found.

mod condition;
mod fields;
mod json_values;
mod mismatch;
mod read;
mod response;

pub use condition::Matcher;
pub use fields::{HeaderMatchers, PointerMatchers, check_pointer};
pub use response::ResponseMatcher;
