//! Restores what an account has kept, and stores what calls change.

use std::sync::Arc;

use jiff::Timestamp;

use super::account_memory::{
    AccountMemory, CONTENT, DOCUMENTS, ENDED, FILE, SUBSCRIPTION, StoredSubscription, TOKEN, item,
    removed, token_item, token_key,
};
use super::endpoint::LiveEndpoint;
use super::host::AccountHost;
use super::subscriptions::NewSubscription;
use crate::base::redact::Redactor;
use crate::base::secret::Secret;
use crate::journal::AccountItem;
use crate::platform::Subscription;
use crate::platform::api::{Documents, HostedFiles};
use crate::record::RecordKind;

/// What a call has changed about its account.
pub(super) struct AccountChange<'a> {
    /// The documents before the call.
    pub(super) documents: Arc<Documents>,
    /// The files before the call.
    pub(super) files: Arc<HostedFiles>,
    /// The tokens that it has issued or revoked, each with its credential.
    pub(super) tokens: Vec<(String, String)>,
    pub(super) subscribed: &'a [NewSubscription],
    /// What it has changed about endpoints.
    pub(super) endpoints: &'a [RecordKind],
}

impl AccountHost {
    /// Restores what the account has kept, and keeps what calls change from now on.
    pub(super) fn remember(&mut self, mut memory: AccountMemory, now: Timestamp) {
        let mut forgotten = memory.forget_ended();
        let AccountMemory { store, tokens, documents, files, mut contents, .. } = memory;
        let references = tokens.iter().map(|stored| {
            let reference = format!("${{issued.{}}}", stored.credential);
            (reference, Secret::private(stored.token.clone()))
        });
        let references: Vec<(String, Secret)> = references.collect();
        self.redact(Redactor::new(references.iter().map(|(name, value)| (name.clone(), value))));
        let dropped = self.tokens.restore(tokens, now);
        forgotten.extend(dropped.iter().map(|token| removed(TOKEN, &token_key(token))));
        // A failure is found at the next change.
        store.write(&forgotten);
        let own = Arc::make_mut(&mut self.documents);
        documents.into_iter().for_each(|(kind, shelf)| own.restore(kind, shelf));
        let own = Arc::make_mut(&mut self.files);
        for stored in files {
            let content = contents.remove(&stored.path);
            own.restore(stored, content);
        }
        for (number, stored) in memory.subscriptions {
            self.restore_subscription(number, stored, memory.ended.contains(&number));
        }
        self.store = Some(store);
    }

    /// Adds an endpoint that a call has subscribed, in the order of numbers.
    fn restore_subscription(&mut self, number: u32, stored: StoredSubscription, has_ended: bool) {
        let Some(new) = stored.into_new() else { return };
        self.redact_subscriptions(std::slice::from_ref(&new));
        let plan = new.endpoint(number, &self.routes.account);
        let subscription =
            if has_ended { Subscription::default() } else { plan.subscription.clone() };
        let account = new.account(&self.routes.account);
        let (group, secrets) = (Some(new.group), new.secrets);
        let endpoint = LiveEndpoint { group, secrets, ..LiveEndpoint::new(plan, &account) };
        let routes = &mut self.routes;
        let index = routes.endpoints.partition_point(|known| known.plan.number < number);
        routes.endpoints.insert(index, endpoint);
        routes.subscriptions.insert(index, subscription);
        routes.version += 1;
    }

    /// Stores what a call has changed. Returns whether it is stored, or need not be.
    pub(super) fn keep(&self, change: &AccountChange<'_>) -> bool {
        let Some(store) = &self.store else { return true };
        let mut items = Vec::new();
        for (credential, token) in &change.tokens {
            items.extend(self.tokens.stored(credential, token).as_ref().map(token_item));
        }
        if !Arc::ptr_eq(&self.documents, &change.documents) {
            let changed = self.documents.changed_since(&change.documents);
            items.extend(changed.map(|(kind, shelf)| item(DOCUMENTS, kind, shelf)));
        }
        if !Arc::ptr_eq(&self.files, &change.files) {
            items.extend(self.changed_files(&change.files));
        }
        let mut subscribed = change.subscribed.iter().filter(|new| new.enabled);
        for kind in change.endpoints {
            match kind {
                RecordKind::EndpointSubscribed { endpoint, .. } => {
                    let stored = subscribed.next().map(StoredSubscription::of);
                    items.extend(stored.map(|new| item(SUBSCRIPTION, endpoint.to_string(), &new)));
                }
                RecordKind::EndpointUnsubscribed { endpoint, .. } => {
                    items.push(item(ENDED, endpoint.to_string(), &()));
                }
                _ => {}
            }
        }
        items.is_empty() || store.write(&items)
    }

    fn changed_files(&self, before: &HostedFiles) -> Vec<AccountItem> {
        let mut items = Vec::new();
        for path in self.files.removed_since(before) {
            items.extend([removed(FILE, path), removed(CONTENT, path)]);
        }
        for file in self.files.changed_since(before) {
            items.push(item(FILE, &file.path, &file.stored()));
            let is_new = before.get(&file.path).is_none_or(|known| file.has_new_content(known));
            if let Some(content) = file.content.as_ref().filter(|_| is_new) {
                let (kind, key) = (CONTENT.to_owned(), file.path.clone());
                items.push(AccountItem { kind, key, value: Some(content.bytes.clone()) });
            }
        }
        items
    }
}
