//! Faults: deliberate misbehaviour of a vendor or receiver, with the expected reaction.
//!
//! `fault` and `[faults]` in scenarios, `run --chaos` and `listen --wrong` share these names. Other
//! modules inject the faults: the platform into the content of a request, the run into the time of
//! sending, delivery into the bytes on the wire, and the bundled receiver into its responses.

mod amount;
mod faults;
mod kind;
mod profile;

pub use amount::FaultAmount;
pub use faults::{Fault, Faults};
pub use kind::{ExpectedReaction, FaultGroup, FaultKind};
pub use profile::{Chaos, ChaosProfile, PlannedFault};
