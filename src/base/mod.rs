//! Foundations: time, random values from a seed, generated people, secrets, limits.
//!
//! This module knows nothing about scenarios, vendors or requests. Module `diag` reads files and
//! reports their problems.

pub mod address;
pub mod attachment;
pub mod clock;
pub mod duration;
pub mod fail_points;
pub mod fake;
pub mod fast_map;
pub mod file;
pub mod file_store;
pub mod generator;
pub mod limits;
pub mod redact;
pub mod references;
pub mod resources;
pub mod route;
pub mod secret;
pub mod seed;
pub mod text;
pub mod url_reference;
