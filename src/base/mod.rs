//! What everything rests on: time, seeded values, invented people, secrets, limits.
//!
//! Nothing here knows a scenario, a vendor or a request. What a file holds and what is wrong with
//! it is left to `diag`.

pub mod address;
pub mod clock;
pub mod duration;
pub mod fail_points;
pub mod fake;
pub mod file;
pub mod file_store;
pub mod generator;
pub mod limits;
pub mod redact;
pub mod secret;
pub mod seed;
pub mod text;
