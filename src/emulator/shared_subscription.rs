//! Subscriptions that calls have made at other runs of the account.

use super::host::AccountHost;
use super::subscriptions::NewSubscription;
use crate::delivery::HostCommand;
use crate::record::RecordScope;

impl AccountHost {
    /// Subscribes a URL that a call has subscribed at another run of the account.
    pub(super) fn subscribe(&mut self, new: &NewSubscription) -> Vec<HostCommand> {
        let number = self.routes.next_number();
        let oldest = self.runs.iter().min_by_key(|(run, _)| **run);
        let Some((run, live)) = oldest else {
            self.routes.subscribe(new, number);
            return Vec::new();
        };
        live.plan.log.redact(new.redactor(&self.routes.account));
        let scope = RecordScope { at: live.plan.start, conversation: None, step: None };
        let record = |kind| HostCommand::Record(*run, scope, Box::new(kind));
        self.routes.subscribe(new, number).into_iter().map(record).collect()
    }
}
