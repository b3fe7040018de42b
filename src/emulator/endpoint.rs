//! The endpoints of an account: receivers with a subscription to its events.

use std::sync::Arc;

use url::Url;

use crate::base::secret::Secret;
use crate::delivery::{Endpoint, RequestSigner};
use crate::platform::{Account, RequestFacts, Signing, Subscription};

/// Header that informs the operator of a public server that the traffic is synthetic.
pub const SYNTHETIC: &str = "X-Standin";

/// An endpoint of an account.
#[derive(Clone, Debug)]
pub struct EndpointPlan {
    /// Its number among the endpoints of the account, from 1.
    pub number: u32,
    /// The receiver's address.
    pub url: Url,
    /// Headers beside the vendor's. Their values never appear in a record.
    pub headers: Vec<(String, Secret)>,
    /// The event types that the receiver is sent.
    pub subscription: Subscription,
}

impl EndpointPlan {
    /// Returns the header [`SYNTHETIC`] with its value.
    pub fn synthetic_marker() -> (String, Secret) {
        (SYNTHETIC.to_owned(), Secret::public("not a real conversation".to_owned()))
    }

    /// The headers beside the vendor's, with their values.
    pub fn extra_headers(&self) -> Vec<(String, String)> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
    }
}

/// An endpoint to which events are sent.
#[derive(Clone, Debug)]
pub(super) struct LiveEndpoint {
    pub(super) plan: EndpointPlan,
    pub(super) endpoint: Arc<Endpoint>,
    /// The account, with the credentials for this endpoint.
    pub(super) account: Arc<Account>,
    /// Group of the subscription, if a call has made it.
    pub(super) group: Option<String>,
    /// Secrets of the account that have another value for this endpoint.
    pub(super) secrets: Vec<(String, Secret)>,
}

impl LiveEndpoint {
    pub(super) fn new(plan: EndpointPlan, account: &Arc<Account>) -> Self {
        let (signed, extra) = (Arc::clone(account), plan.extra_headers());
        let signer: RequestSigner = Arc::new(move |body, attempt, sent_at| {
            let request = RequestFacts::of_event(body, attempt, sent_at, None);
            let mut headers = Signing::of(&signed).headers(&request);
            headers.extend(extra.iter().cloned());
            headers
        });
        let endpoint = Arc::new(Endpoint::new(plan.number, plan.url.clone(), signer));
        Self { plan, endpoint, account: Arc::clone(account), group: None, secrets: Vec::new() }
    }

    /// The endpoint with another version of the account.
    pub(super) fn reloaded(&self, account: &Arc<Account>) -> Self {
        let (group, secrets) = (self.group.clone(), self.secrets.clone());
        let own = match secrets.as_slice() {
            [] => Arc::clone(account),
            secrets => Arc::new(account.with_secrets(secrets)),
        };
        Self { group, secrets, ..Self::new(self.plan.clone(), &own) }
    }
}
