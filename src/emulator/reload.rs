//! Another version of the account: runs keep the version with which they started.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::endpoint::LiveEndpoint;
use crate::platform::Account;
use crate::policy::Policy;

/// How an earlier version of an account delivers.
#[derive(Debug)]
pub(super) struct EarlierRoutes {
    /// The endpoints when it was replaced. Later ones follow in the list of the account.
    pub(super) endpoints: Vec<LiveEndpoint>,
    /// The delivery policies, by event type.
    pub(super) policies: BTreeMap<String, Arc<Policy>>,
}

/// Returns the delivery policies of an account, by event type.
pub(super) fn policies(account: &Account) -> BTreeMap<String, Arc<Policy>> {
    let types = account.platform.event_types().into_iter();
    types.map(|name| (name.to_owned(), Arc::new(account.policy(name)))).collect()
}
