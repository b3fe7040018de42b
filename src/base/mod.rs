//! What everything rests on: time, seeded values, invented people, secrets, limits.
//!
//! Nothing here knows a scenario, a vendor or a request. Reading files and reporting their
//! problems is left to `diag`.

pub mod address;
pub mod clock;
pub mod draw;
pub mod duration;
pub mod fake;
pub mod files;
pub mod limits;
pub mod made;
pub mod secret;
pub mod text;
