//! Profiles of `run --chaos`, and the schedule of faults that one generates.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::faults::Fault;
use super::kind::{FaultGroup, FaultKind};

crate::string_enum! {
    /// Set of faults to choose from.
    pub enum ChaosProfile {
        /// Faults that occur in every system: duplicates, delays, unusual but valid requests.
        Gentle = "gentle",
        /// Deliveries that are duplicated, late, reordered or sent all at once.
        Order = "order",
        /// Connections that are slow, break, or have a wrong content length.
        Network = "network",
        /// Requests that every receiver must reject.
        Auth = "auth",
        /// Bodies that are incomplete, much too large, or encoded in an unusual way.
        Payload = "payload",
        /// All faults.
        All = "all",
    }
}

/// Faults of the profile `gentle`. A correct receiver accepts all of them as usual.
const GENTLE: [&str; 6] =
    ["duplicate", "delay:200ms", "slow_body", "chunked", "escaping", "extra_field"];
/// Faults with an amount that behave differently from those with the default amount.
const VARIANTS: [&str; 2] = ["duplicate:5ms", "length:-1"];

impl ChaosProfile {
    /// Returns the faults of the profile.
    pub fn faults(self) -> Vec<Fault> {
        let group = match self {
            Self::Gentle => return GENTLE.iter().filter_map(|f| Fault::parse(f).ok()).collect(),
            Self::Order => Some(FaultGroup::Order),
            Self::Network => Some(FaultGroup::Wire),
            Self::Auth => Some(FaultGroup::Token),
            Self::Payload => Some(FaultGroup::Body),
            Self::All => None,
        };
        let defaults = FaultKind::ALL.iter().map(|kind| kind.with_default_amount());
        let faults = defaults.chain(VARIANTS).filter_map(|text| Fault::parse(text).ok());
        let is_included = |fault: &Fault| match group {
            // A lost delivery looks like a network failure to a receiver, not like a wrong order.
            Some(FaultGroup::Wire) if fault.kind == FaultKind::Drop => true,
            Some(group) => fault.kind.group() == group && fault.kind != FaultKind::Drop,
            None => fault.kind.group() != FaultGroup::Receiver,
        };
        faults.filter(is_included).collect()
    }
}

/// Faults that were generated for a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chaos {
    /// Profile from which they were chosen.
    pub profile: ChaosProfile,
    /// Faults, by step.
    pub schedule: Vec<PlannedFault>,
}

/// A fault that was generated for a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Number of the step.
    pub step: usize,
    /// Fault of the deliveries that the step causes.
    pub fault: Fault,
}

impl fmt::Display for Chaos {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = |planned: &PlannedFault| format!("{} at step {}", planned.fault, planned.step);
        let entries: Vec<String> = self.schedule.iter().map(entry).collect();
        formatter.write_str(if entries.is_empty() { "no faults" } else { "" })?;
        formatter.write_str(&entries.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_faults_and_all_contains_every_fault() {
        for profile in ChaosProfile::ALL {
            assert!(profile.faults().len() > 4, "{profile}");
        }
        assert_eq!(ChaosProfile::Gentle.faults().len(), GENTLE.len());
        let all = ChaosProfile::All.faults();
        let delivered = FaultKind::ALL.iter().filter(|kind| kind.group() != FaultGroup::Receiver);
        for kind in delivered {
            assert!(all.iter().any(|fault| fault.kind == *kind), "{kind}");
        }
    }
}
