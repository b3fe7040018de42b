//! What a run did not test: a function of its records alone.

use std::collections::BTreeSet;

use crate::fault::{FaultGroup, FaultKind};
use crate::record::{Record, RecordKind, RunStarted, SettledDelivery, SignatureTest};

/// Notes what the records of a run show to be tested.
#[derive(Debug, Default)]
pub(super) struct TestCoverage {
    /// Whether the scenario could ask for a test of signatures, and does not.
    lacks_signature_test: bool,
    /// Steps whose requirements no delivery has been compared with.
    wants: BTreeSet<usize>,
    /// Whether the receiver was sent anything.
    has_deliveries: bool,
}

impl TestCoverage {
    /// Notes one record.
    pub(super) fn count(&mut self, record: &Record) {
        match &record.kind {
            RecordKind::RunStarted(run) => self.start(run),
            RecordKind::DeliverySettled(settled) if !settled.faults.has(FaultKind::Drop) => {
                self.has_deliveries = true;
                self.settle(settled);
                record.step.map(|step| self.wants.remove(&step));
            }
            _ => {}
        }
    }

    fn start(&mut self, run: &RunStarted) {
        self.lacks_signature_test = run.signature == Some(SignatureTest::Untested);
        self.wants = run.wants.keys().copied().collect();
    }

    fn settle(&mut self, settled: &SettledDelivery) {
        // An invalid token or signature in the scenario itself tests the receiver as well.
        if settled.faults.of(FaultGroup::Token).is_some() {
            self.lacks_signature_test = false;
        }
    }

    /// Describes what was not tested.
    pub(super) fn untested(&self) -> Vec<String> {
        let signatures = (self.lacks_signature_test && self.has_deliveries).then(|| {
            "whether the receiver checks signatures (add `signature = \"probe\"` to `[verify]`)"
                .to_owned()
        });
        let wants = self.wants.iter();
        let wants = wants.map(|step| format!("`want` of step {step}: nothing was sent for it"));
        signatures.into_iter().chain(wants).collect()
    }
}
