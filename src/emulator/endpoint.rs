//! The endpoints of an account: receivers with a subscription to its events.

use std::sync::Arc;

use url::Url;

use crate::base::references::KnownSecrets;
use crate::base::secret::Secret;
use crate::base::url_reference::{shown_url, url_secrets};
use crate::delivery::{ConnectionOptions, Endpoint, RequestSigner};
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
    /// The reference that appears in output in place of the address: `env:NAME` or `file:PATH`.
    pub reference: Option<String>,
    /// Headers beside the vendor's. Their values never appear in a record.
    pub headers: Vec<(String, Secret)>,
    /// The event types that the receiver is sent.
    pub subscription: Subscription,
    /// How connections to the receiver are made.
    pub options: Arc<ConnectionOptions>,
}

impl EndpointPlan {
    /// An endpoint without additional headers and options.
    pub fn new(number: u32, url: Url, subscription: Subscription) -> Self {
        let (headers, options) = (Vec::new(), Arc::default());
        Self { number, url, reference: None, headers, subscription, options }
    }

    /// Returns the address as output shows it.
    pub fn shown_url(&self) -> String {
        shown_url(&self.url, self.reference.as_deref())
    }

    /// Returns the secrets of its requests besides those of the account, with their references.
    pub fn secret_references(&self) -> Vec<(String, Secret)> {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, secret)| (format!("${{header.{name}}}"), secret.clone()));
        let proxy = self.options.proxy.iter();
        let proxy = proxy.flat_map(|proxy| [&proxy.password, &proxy.authorization]).flatten();
        let proxy = proxy.map(|secret| ("${proxy.password}".to_owned(), secret.clone()));
        let url = url_secrets(&self.url, self.reference.as_deref());
        headers.chain(url).chain(proxy).collect()
    }

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

/// Returns the secrets for which records of these endpoints of an account have references.
pub fn known_secrets<'a>(
    account: &Account,
    endpoints: impl IntoIterator<Item = &'a EndpointPlan>,
) -> KnownSecrets {
    let own = account.secret_references().map(|(reference, secret)| (reference, secret.clone()));
    let all = own.chain(endpoints.into_iter().flat_map(EndpointPlan::secret_references));
    all.map(|(reference, secret)| (reference, secret.expose().to_owned())).collect()
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
        let endpoint = Endpoint::new(plan.number, plan.url.clone(), signer);
        let endpoint = Arc::new(Endpoint { options: Arc::clone(&plan.options), ..endpoint });
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
