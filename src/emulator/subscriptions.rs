//! Subscriptions that calls make and end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use url::Url;

use super::endpoint::{EndpointPlan, LiveEndpoint};
use super::router::Routes;
use crate::base::redact::{Redactor, is_credential_name};
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
    /// Whether the vendor tests the URL first.
    pub(super) has_handshake: bool,
    /// Headers besides the vendor's.
    pub(super) headers: Vec<(String, Secret)>,
    /// Secrets of the account that have another value for the URL.
    pub(super) secrets: Vec<(String, Secret)>,
}

impl NewSubscription {
    /// The endpoint of this number that it makes.
    pub(super) fn endpoint(&self, number: u32, account: &Account) -> EndpointPlan {
        let types = self.types.as_deref().map(Subscription::of);
        let subscription = account.platform.subscription(types);
        let headers = self.headers.clone();
        EndpointPlan { headers, ..EndpointPlan::new(number, self.url.clone(), subscription) }
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
        let headers = self.headers.iter().filter(|(name, _)| is_credential_name(name));
        let own = self.secrets.iter().chain(headers);
        // A shorter one would be found in unrelated text.
        let own =
            own.filter(|(_, secret)| secret.expose().len() >= MIN_SECRET && !is_known(secret));
        Redactor::new(own.map(|(name, secret)| (format!("${{subscription.{name}}}"), secret)))
    }
}

/// What a call changes about subscriptions.
#[derive(Clone, Debug, Default)]
pub(super) struct SubscriptionChange {
    pub(super) new: Vec<NewSubscription>,
    /// Groups whose subscriptions end.
    pub(super) ended: Vec<String>,
}

impl SubscriptionChange {
    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.ended.is_empty()
    }

    /// Returns both changes as one, the other one after this one.
    pub(super) fn followed_by(mut self, other: Self) -> Self {
        self.new.retain(|old| !other.replaces(old));
        self.new.extend(other.new);
        self.ended.extend(other.ended);
        self
    }

    /// Adds what a later call changes.
    pub(super) fn extend(&mut self, later: Option<Box<Self>>) {
        if let Some(later) = later {
            *self = std::mem::take(self).followed_by(*later);
        }
    }

    /// Returns the change; `None` if nothing changes.
    pub(super) fn into_option(self) -> Option<Box<Self>> {
        (!self.is_empty()).then(|| Box::new(self))
    }

    /// Whether it ends a subscription.
    pub(super) fn replaces(&self, old: &NewSubscription) -> bool {
        let is_new = self.new.iter().any(|new| new.group == old.group || new.url == old.url);
        is_new || self.ended.contains(&old.group)
    }
}

impl Routes {
    /// Number of the next endpoint.
    pub(super) fn next_number(&self) -> u32 {
        self.numbers.load(Ordering::Relaxed) + 1
    }

    /// Returns the endpoints that calls have subscribed and that still get events.
    pub(super) fn subscribed_by_calls(&self) -> Vec<EndpointPlan> {
        let all = self.endpoints.iter().zip(&self.subscriptions);
        let own = all.filter(|(endpoint, subscription)| {
            endpoint.group.is_some() && **subscription != Subscription::default()
        });
        own.map(|(endpoint, _)| endpoint.plan.clone()).collect()
    }

    /// Returns the subscriptions of calls as such calls would make them again, without another test of
    /// their URLs.
    pub(super) fn subscriptions_of_calls(&self) -> Vec<NewSubscription> {
        let all = self.endpoints.iter().zip(&self.subscriptions);
        let own = all.filter(|(_, subscription)| **subscription != Subscription::default());
        let again = own.filter_map(|(endpoint, subscription)| {
            Some(NewSubscription {
                group: endpoint.group.clone()?,
                url: endpoint.plan.url.clone(),
                types: Some(subscription.patterns()),
                enabled: true,
                has_handshake: false,
                headers: endpoint.plan.headers.clone(),
                secrets: endpoint.secrets.clone(),
            })
        });
        again.collect()
    }

    /// Subscribes the URLs of a call, and ends the subscriptions of groups. Returns what changed, for
    /// the report.
    pub(super) fn subscribe(&mut self, change: &SubscriptionChange) -> Vec<RecordKind> {
        let SubscriptionChange { new, ended } = change;
        let groups: Vec<&String> = ended.iter().chain(new.iter().map(|new| &new.group)).collect();
        let mut changes = Vec::new();
        self.version += 1;
        let all = self.endpoints.iter().zip(&mut self.subscriptions);
        for (endpoint, subscription) in all {
            // One request for each event, although the URL was configured as well.
            let is_replaced = endpoint.group.as_ref().is_some_and(|group| groups.contains(&group))
                || new.iter().any(|new| endpoint.plan.url == new.url);
            if is_replaced && *subscription != Subscription::default() {
                // Planned deliveries refer to endpoints by index, so that it stays in the list.
                *subscription = Subscription::default();
                let url = endpoint.plan.url.to_string();
                let endpoint = endpoint.plan.number;
                changes.push(RecordKind::EndpointUnsubscribed { endpoint, url });
            }
        }
        for new in new.iter().filter(|new| new.enabled) {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
            let plan = new.endpoint(number, &self.account);
            let (endpoint, url) = (plan.number, plan.url.to_string());
            self.subscriptions.push(plan.subscription.clone());
            let account = new.account(&self.account);
            let (group, secrets) = (Some(new.group.clone()), new.secrets.clone());
            let new = LiveEndpoint::new(plan, &account);
            self.endpoints.push(LiveEndpoint { group, secrets, ..new });
            changes.push(RecordKind::EndpointSubscribed { endpoint, url });
        }
        changes
    }
}

/// Returns the subscriptions of a call, those with the same URL, headers and secrets as one: their
/// requests then keep their order.
pub(super) fn merged(all: Vec<NewSubscription>) -> Vec<NewSubscription> {
    let mut merged: Vec<NewSubscription> = Vec::new();
    for new in all {
        let known = merged.iter_mut().find(|known| {
            let NewSubscription { group, url, enabled, headers, secrets, .. } = &new;
            (group, url, enabled) == (&known.group, &known.url, &known.enabled)
                && (headers, secrets) == (&known.headers, &known.secrets)
        });
        match (known, new.types) {
            (Some(NewSubscription { types: Some(known), .. }), Some(types)) => known.extend(types),
            // All types of the vendor's default subscription.
            (Some(known), _) => known.types = None,
            (None, types) => merged.push(NewSubscription { types, ..new }),
        }
    }
    merged
}
