//! Matchers: conditions on the values of a response or a call, declared in a scenario. Pure.
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
pub use fields::{
    HeaderMatchers, PointerMatchers, ValueMatchers, check_pointer, field_name, is_pointer, value_at,
};
pub use response::ResponseMatcher;
