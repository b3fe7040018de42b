//! Subscriptions that calls make and end.

use std::sync::Arc;

use url::Url;

use super::endpoint::{EndpointPlan, LiveEndpoint};
use super::router::Routes;
use crate::base::redact::Redactor;
use crate::base::secret::{MIN_SECRET, Secret};
use crate::platform::{Account, Subscription};
use crate::record::RecordKind;

/// A subscription that a call makes.
#[derive(Clone, Debug)]
pub(super) struct NewSubscription {
    /// Group whose subscriptions it replaces.
    pub(super) group: String,
    pub(super) url: Url,
    /// `None` for the vendor's default.
    pub(super) types: Option<Vec<String>>,
    pub(super) enabled: bool,
    /// Secrets of the account that have another value for the URL.
    pub(super) secrets: Vec<(String, Secret)>,
}

impl NewSubscription {
    /// The endpoint of this number that it makes.
    pub(super) fn endpoint(&self, number: u32, account: &Account) -> EndpointPlan {
        let types = self.types.as_deref().map(Subscription::of);
        let subscription = account.platform.subscription(types);
        EndpointPlan { number, url: self.url.clone(), headers: Vec::new(), subscription }
    }

    /// The account with the secrets that it has for the URL.
    pub(super) fn account(&self, account: &Arc<Account>) -> Arc<Account> {
        if self.secrets.is_empty() {
            return Arc::clone(account);
        }
        Arc::new(account.with_secrets(&self.secrets))
    }

    /// Replaces its secrets in output, except those that are public.
    pub(super) fn redactor(&self, account: &Account) -> Redactor {
        let is_known = |secret: &Secret| {
            account.secrets.values().any(|known| known.expose() == secret.expose())
        };
        let own = self.secrets.iter();
        // A shorter one would be found in unrelated text.
        let own =
            own.filter(|(_, secret)| secret.expose().len() >= MIN_SECRET && !is_known(secret));
        Redactor::new(own.map(|(name, secret)| (format!("${{subscription.{name}}}"), secret)))
    }
}

impl NewSubscription {
    /// Whether it ends another subscription.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        self.group == other.group || self.url == other.url
    }
}

impl Routes {
    /// Number of the next endpoint.
    pub(super) fn next_number(&self) -> u32 {
        self.endpoints.iter().map(|endpoint| endpoint.plan.number).max().unwrap_or(0) + 1
    }

    /// Subscribes the URL of a call. Returns what changed, for the report.
    pub(super) fn subscribe(&mut self, new: &NewSubscription, number: u32) -> Vec<RecordKind> {
        let mut changes = Vec::new();
        let all = self.endpoints.iter().zip(&mut self.subscriptions);
        for (endpoint, subscription) in all {
            // One request for each event, although the URL was configured as well.
            let is_replaced = endpoint.group.as_deref() == Some(new.group.as_str())
                || endpoint.plan.url == new.url;
            if is_replaced && *subscription != Subscription::default() {
                // Planned deliveries refer to endpoints by index, so that it stays in the list.
                *subscription = Subscription::default();
                let url = endpoint.plan.url.to_string();
                let endpoint = endpoint.plan.number;
                changes.push(RecordKind::EndpointUnsubscribed { endpoint, url });
            }
        }
        if new.enabled {
            let plan = new.endpoint(number, &self.account);
            let (endpoint, url) = (plan.number, plan.url.to_string());
            self.subscriptions.push(plan.subscription.clone());
            let account = new.account(&self.account);
            let group = Some(new.group.clone());
            self.endpoints.push(LiveEndpoint { group, ..LiveEndpoint::new(plan, &account) });
            changes.push(RecordKind::EndpointSubscribed { endpoint, url });
        }
        changes
    }
}
