//! The deliveries of a conversation that have not settled, for a script that waits for them.

use std::collections::BTreeMap;

use crate::delivery::HostCommand;

/// Number of deliveries that have not settled, by the step that caused them.
#[derive(Debug, Default)]
pub(super) struct UnsettledDeliveries(BTreeMap<usize, usize>);

impl UnsettledDeliveries {
    /// Counts the deliveries that are submitted.
    pub(super) fn add(&mut self, commands: &[HostCommand]) {
        for command in commands {
            if let HostCommand::Submit(delivery) = command {
                // A script does not wait for what others have caused.
                let Some(step) = delivery.step else { continue };
                *self.0.entry(step).or_default() += 1;
            }
        }
    }

    /// Counts a delivery of a step that has settled.
    pub(super) fn remove(&mut self, step: usize) {
        if let Some(number) = self.0.get_mut(&step) {
            *number -= 1;
            if *number == 0 {
                self.0.remove(&step);
            }
        }
    }

    /// Returns whether every delivery of a step, or of all steps, has settled.
    pub(super) fn has_settled(&self, step: Option<usize>) -> bool {
        step.map_or(self.0.is_empty(), |step| !self.0.contains_key(&step))
    }
}
