//! Profiles of `run --chaos`, which faults are drawn together, and what was drawn.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Fault, Group, Kind};

crate::words! {
    /// Which faults are drawn.
    pub enum Profile {
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

impl Profile {
    /// The faults that are drawn.
    pub fn faults(self) -> Vec<Fault> {
        let group = match self {
            Self::Gentle => return GENTLE.iter().filter_map(|f| Fault::parse(f).ok()).collect(),
            Self::Order => Some(Group::Order),
            Self::Network => Some(Group::Wire),
            Self::Auth => Some(Group::Token),
            Self::Payload => Some(Group::Body),
            Self::All => None,
        };
        let usual = Kind::ALL.iter().map(|kind| kind.usual());
        let faults = usual.chain(BESIDE).filter_map(|text| Fault::parse(text).ok());
        let is_drawn = |fault: &Fault| match group {
            Some(Group::Wire) if fault.kind == Kind::Drop => true,
            Some(group) => fault.kind.group() == group && fault.kind != Kind::Drop,
            None => fault.kind.group() != Group::Receiver,
        };
        faults.filter(is_drawn).collect()
    }
}

/// Faults that were drawn for a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chaos {
    /// From which.
    pub profile: Profile,
    /// Which, by step.
    pub schedule: Vec<Planned>,
}

/// A fault that was drawn for a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The number of the step.
    pub step: usize,
    /// What is wrong with its deliveries.
    pub fault: Fault,
}

impl fmt::Display for Chaos {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |planned: &Planned| format!("{} at step {}", planned.fault, planned.step);
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
        for profile in Profile::ALL {
            assert!(profile.faults().len() > 4, "{profile}");
        }
        assert_eq!(Profile::Gentle.faults().len(), GENTLE.len());
        let all = Profile::All.faults();
        let delivered = Kind::ALL.iter().filter(|kind| kind.group() != Group::Receiver);
        for kind in delivered {
            assert!(all.iter().any(|fault| fault.kind == *kind), "{kind}");
        }
    }
}
