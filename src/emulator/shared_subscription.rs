//! Subscriptions that calls have changed at other runs of the account.

use super::host::AccountHost;
use super::subscriptions::SubscriptionChange;
use crate::delivery::{HostCommand, RunTimes};
use crate::record::RecordScope;

impl AccountHost {
    /// Changes subscriptions as a call has changed them at another run of the account.
    pub(super) fn subscribe(
        &mut self,
        change: &SubscriptionChange,
        times: &mut dyn RunTimes,
    ) -> Vec<HostCommand> {
        self.redact_subscriptions(&change.new);
        let oldest = self.runs.iter().min_by_key(|(run, _)| **run);
        let Some((run, live)) = oldest else {
            self.routes.subscribe(change);
            return Vec::new();
        };
        let at = times.passing(*run).unwrap_or(live.plan.start);
        let scope = RecordScope { at, conversation: None, step: None };
        let record = |kind| HostCommand::Record(*run, scope, Box::new(kind));
        self.routes.subscribe(change).into_iter().map(record).collect()
    }
}
