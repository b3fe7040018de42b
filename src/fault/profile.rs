//! Profiles of `run --chaos`, which faults are drawn together, and what was drawn.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Fault, FaultGroup, FaultKind};

crate::string_enum! {
    /// Which faults are drawn.
    pub enum ChaosProfile {
        /// What every receiver lives with: duplicates, delays, bodies that come otherwise.
        Gentle = "gentle",
        /// Deliveries that come twice, late, in another order, or all at once.
        Order = "order",
        /// Connections that are slow, break, or lie about what they carry.
        Network = "network",
        /// Requests that no receiver may let in.
        Auth = "auth",
        /// Bodies that are spelled otherwise, lack something, or are much too large.
        Payload = "payload",
        /// All of them.
        All = "all",
    }
}

/// What breaks nothing, beside what a group holds.
const GENTLE: [&str; 6] =
    ["duplicate", "delay:200ms", "slow_body", "chunked", "escaping", "extra_field"];
/// What a group draws beside the usual amounts.
const BESIDE: [&str; 2] = ["duplicate:5ms", "length:-1"];

impl ChaosProfile {
    /// The faults that are drawn.
    pub fn faults(self) -> Vec<Fault> {
        let group = match self {
            Self::Gentle => return GENTLE.iter().filter_map(|f| Fault::parse(f).ok()).collect(),
            Self::Order => Some(FaultGroup::Order),
            Self::Network => Some(FaultGroup::Wire),
            Self::Auth => Some(FaultGroup::Token),
            Self::Payload => Some(FaultGroup::Body),
            Self::All => None,
        };
        let usual = FaultKind::ALL.iter().map(|kind| kind.usual());
        let faults = usual.chain(BESIDE).filter_map(|text| Fault::parse(text).ok());
        let is_drawn = |fault: &Fault| match group {
            Some(FaultGroup::Wire) if fault.kind == FaultKind::Drop => true,
            Some(group) => fault.kind.group() == group && fault.kind != FaultKind::Drop,
            None => fault.kind.group() != FaultGroup::Receiver,
        };
        faults.filter(is_drawn).collect()
    }
}

/// Faults that were drawn for a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chaos {
    /// From which.
    pub profile: ChaosProfile,
    /// Which, by step.
    pub schedule: Vec<PlannedFault>,
}

/// A fault that was drawn for a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// The number of the step.
    pub step: usize,
    /// What is wrong with its deliveries.
    pub fault: Fault,
}

impl fmt::Display for Chaos {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |planned: &PlannedFault| format!("{} at step {}", planned.fault, planned.step);
        let told: Vec<String> = self.schedule.iter().map(told).collect();
        formatter.write_str(if told.is_empty() { "no fault" } else { "" })?;
        formatter.write_str(&told.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_faults_and_all_has_every_one() {
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
