//! Failed deliveries of a run, grouped by cause.

use std::collections::BTreeMap;

use super::{AttemptOutcome, FailureGroup, SettledDelivery};

/// Maximum number of causes that are listed. The failures of others are only counted.
const MAX_GROUPS: usize = 5;

/// Groups the failed deliveries of a run.
#[derive(Debug, Default)]
pub(super) struct FailureGroups {
    groups: Vec<FailureGroup>,
    /// Numbers of deliveries by event type, then by faults.
    counts: BTreeMap<String, BTreeMap<String, DeliveryCounts>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct DeliveryCounts {
    settled: u64,
    failed: u64,
    /// Those that failed with a response.
    rejected: u64,
}

impl FailureGroups {
    /// Counts a settled delivery that is no control.
    pub(super) fn count(&mut self, settled: &SettledDelivery) {
        let faults = settled.faults.to_string();
        let of_type = self.counts.entry(settled.event_type.clone()).or_default();
        let counts = of_type.entry(faults.clone()).or_default();
        counts.settled += 1;
        counts.failed += u64::from(!settled.passed);
        let has_responded = settled.result.outcome == AttemptOutcome::Responded;
        counts.rejected += u64::from(!settled.passed && has_responded);
        if settled.passed {
            return;
        }
        let why = settled.why.as_deref().unwrap_or("no reason was recorded");
        let is_alike = |group: &&mut FailureGroup| {
            group.event_type == settled.event_type && group.faults == faults && group.why == why
        };
        if let Some(group) = self.groups.iter_mut().find(is_alike) {
            group.failed += 1;
        } else if self.groups.len() < MAX_GROUPS {
            self.groups.push(FailureGroup {
                event_type: settled.event_type.clone(),
                faults,
                why: why.to_owned(),
                failed: 1,
                of: 0, // known at the end
                delivery: settled.delivery.clone(),
                source: settled.source.clone(),
            });
        }
    }

    /// Returns the groups in the order of their first failures.
    pub(super) fn finish(&self) -> Vec<FailureGroup> {
        let of = |group: &FailureGroup| {
            let of_type = self.counts.get(&group.event_type);
            of_type.and_then(|counts| counts.get(&group.faults)).map_or(0, |counts| counts.settled)
        };
        self.groups.iter().map(|group| FailureGroup { of: of(group), ..group.clone() }).collect()
    }

    /// Returns the event types of which every delivery without a fault was rejected, if others passed.
    pub(super) fn rejected_types(&self) -> Vec<String> {
        let types = self.counts.iter();
        let types = types.filter_map(|(name, by_faults)| Some((name, *by_faults.get("")?)));
        let (rejected, others): (Vec<_>, Vec<_>) =
            types.partition(|(_, counts)| counts.rejected == counts.settled);
        let has_accepted = others.iter().any(|(_, counts)| counts.failed < counts.settled);
        let names = rejected.into_iter().map(|(name, _)| name.clone());
        if has_accepted { names.collect() } else { Vec::new() }
    }
}
