//! Faults that somebody turns on while a run is in progress.

use super::host::AccountHost;
use crate::delivery::{ConversationKey, HostCommand, RunTimes};
use crate::fault::Faults;
use crate::record::{RecordKind, RecordScope, RunSteered, SteerCommand};

impl AccountHost {
    /// Gives the deliveries of a run these faults from now on. The record has its place among what
    /// happens, so that a restored run has the same faults at the same time.
    pub(super) fn set_faults(
        &mut self,
        number: u32,
        faults: Faults,
        times: &mut dyn RunTimes,
    ) -> Vec<HostCommand> {
        let Some(run) = self.runs.get(&number) else { return Vec::new() };
        run.faults.set_live(faults.clone());
        let first = ConversationKey { run: number, number: 1 };
        let at = times.now(first).unwrap_or(run.plan.start);
        let scope = RecordScope { at, conversation: None, step: None };
        let steered =
            RunSteered { command: SteerCommand::Faults, speed: None, faults: Some(faults) };
        vec![HostCommand::Record(number, scope, Box::new(RecordKind::RunSteered(steered)))]
    }
}
