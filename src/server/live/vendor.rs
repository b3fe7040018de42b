//! An emulated vendor of the server: its emulator and its endpoints.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use url::Url;

use super::endpoint_states::EndpointState;
use super::error::LiveError;
use crate::base::address::{EgressPolicy, ip_host, is_localhost};
use crate::base::limits::MAX_ENDPOINTS;
use crate::base::references::{self, KnownSecrets};
use crate::base::secret::Secret;
use crate::base::url_reference::shown_url;
use crate::config::receiver_url;
use crate::delivery::{AttemptSlots, ConnectionOptions, Connector, Http1Client};
use crate::diag::{Problem, code};
use crate::emulator::{Emulator, EndpointPlan, known_secrets};
use crate::platform::{Account, Subscription};
use crate::record::EndpointSubscription;

/// An emulated vendor.
pub struct ServedVendor {
    id: String,
    /// The account, in the version that new runs get.
    account: RwLock<Arc<Account>>,
    pub(super) emulator: Emulator,
    pub(super) transport: Arc<Http1Client>,
    egress: EgressPolicy,
    /// Every endpoint that was ever added, in the order of numbers.
    endpoints: Mutex<Vec<ServedEndpoint>>,
    /// Addresses of the server itself, to which nothing is sent.
    own: Mutex<Vec<SocketAddr>>,
    /// Address of the vendor's API, if it is served.
    api: OnceLock<SocketAddr>,
}

/// An endpoint of a vendor.
#[derive(Clone, Debug)]
pub struct ServedEndpoint {
    /// The endpoint.
    pub plan: EndpointPlan,
    /// The requested event types; `None` for the vendor's default.
    pub events: Option<Vec<String>>,
    /// Whether the command line or the configuration names it.
    pub(super) is_configured: bool,
    /// Whether it was removed.
    is_removed: bool,
}

/// A new endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointRequest {
    /// The receiver's address.
    pub url: String,
    /// The reference that appears in output in place of the address.
    pub reference: Option<String>,
    /// How connections to the receiver are made.
    pub options: Arc<ConnectionOptions>,
    /// Event types, as patterns; `None` for the vendor's default.
    pub events: Option<Vec<String>>,
    /// Headers beside the vendor's.
    pub headers: Vec<(String, Secret)>,
    /// Whether the command line or the configuration names it.
    pub is_configured: bool,
}

/// An endpoint of an earlier process.
#[derive(Clone, Debug)]
pub(super) struct StoredEndpoint {
    pub(super) number: u32,
    /// Address with references in place of secrets.
    pub(super) url: String,
    pub(super) events: Option<Vec<String>>,
    pub(super) is_configured: bool,
    pub(super) is_removed: bool,
}

impl ServedEndpoint {
    /// An endpoint that a call has subscribed.
    pub(super) fn of_call(plan: EndpointPlan) -> Self {
        Self { plan, events: None, is_configured: false, is_removed: false }
    }

    /// Returns the address for display.
    pub fn shown_url(&self) -> String {
        self.plan.shown_url()
    }
}

impl ServedVendor {
    pub(super) fn start(account: Arc<Account>, egress: EgressPolicy, slots: AttemptSlots) -> Self {
        let wire = account.platform.wire.clone();
        let transport = Arc::new(Http1Client::new(Connector::new(egress), wire));
        let emulator =
            Emulator::start(Arc::clone(&account), Vec::new(), Arc::clone(&transport), slots)
                .allowing(egress);
        Self {
            id: account.platform.id.clone(),
            account: RwLock::new(account),
            emulator,
            transport,
            egress,
            endpoints: Mutex::default(),
            own: Mutex::default(),
            api: OnceLock::new(),
        }
    }

    /// The id of the vendor.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The account, in the version that new runs get.
    pub fn account(&self) -> Arc<Account> {
        Arc::clone(&self.account.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the account by another version. Runs keep the version with which they started.
    pub(super) fn reload(&self, account: Arc<Account>) {
        self.transport.set_wire(account.platform.wire.clone());
        self.emulator.reload(Arc::clone(&account));
        *self.account.write().unwrap_or_else(PoisonError::into_inner) = account;
    }

    /// Returns the numbers of the configured endpoints that are none of these.
    pub(super) fn configured_besides(&self, requests: &[&EndpointRequest]) -> Vec<u32> {
        let is_requested = |endpoint: &ServedEndpoint| {
            requests.iter().any(|request| {
                let url = receiver_url(&request.url)
                    .map(|url| shown_url(&url, request.reference.as_deref()));
                url.is_ok_and(|url| url == endpoint.shown_url())
                    && request.events == endpoint.events
            })
        };
        let all = self.endpoints().into_iter().filter(|endpoint| endpoint.is_configured);
        all.filter(|endpoint| !is_requested(endpoint))
            .map(|endpoint| endpoint.plan.number)
            .collect()
    }

    /// Notes that the API of the vendor is served at this address.
    pub fn set_api(&self, address: SocketAddr) {
        self.refuse(address);
        let _ = self.api.set(address);
    }

    /// Returns the address of the vendor's API, if it is served.
    pub fn api(&self) -> Option<SocketAddr> {
        self.api.get().copied()
    }

    /// Refuses to send to this address from now on: the server listens there.
    pub fn refuse(&self, address: SocketAddr) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).push(address);
    }

    /// The endpoints.
    pub fn endpoints(&self) -> Vec<ServedEndpoint> {
        self.all().iter().filter(|endpoint| !endpoint.is_removed).cloned().collect()
    }

    /// Adds an endpoint. It gets the events of later runs, after the handshake if the vendor has one.
    ///
    /// # Errors
    /// The address or a pattern is not valid, or there are too many endpoints.
    pub(super) fn add_endpoint(
        &self,
        request: EndpointRequest,
    ) -> Result<ServedEndpoint, LiveError> {
        let EndpointRequest { url, reference, options, events, headers, is_configured } = request;
        let url = receiver_url(&url)
            .map_err(|message| Problem::anywhere(code::INVALID_URL, message))
            .map_err(|problem| problem.help("example: `http://localhost:3000/hooks`"))?;
        self.check_address(&url, reference.as_deref())?;
        let subscription = self.subscription(events.as_deref())?;
        let mut all = self.all();
        if all.iter().filter(|endpoint| !endpoint.is_removed).count() >= MAX_ENDPOINTS {
            let message = format!("a vendor has at most {MAX_ENDPOINTS} endpoints");
            return Err(LiveError::conflict(message, "remove one that is not used"));
        }
        let number = self.emulator.next_endpoint();
        let headers = self.marked(&url, &options, headers);
        let plan = EndpointPlan { number, url, reference, headers, subscription, options };
        self.emulator.add_endpoint(self.before_handshake(&plan));
        all.push(ServedEndpoint { plan, events, is_configured, is_removed: false });
        Ok(all[all.len() - 1].clone())
    }

    fn subscription(&self, events: Option<&[String]>) -> Result<Subscription, Problem> {
        let platform = &self.account().platform.clone();
        let check = |events| Subscription::check_plain(events, &platform.type_names());
        Ok(platform.subscription(events.map(check).transpose()?))
    }

    /// The headers of an endpoint, with the mark of requests to public addresses.
    fn marked(
        &self,
        url: &Url,
        options: &ConnectionOptions,
        headers: Vec<(String, Secret)>,
    ) -> Vec<(String, Secret)> {
        let is_public = options.may_be_public(self.egress, url);
        let marker = is_public.then(EndpointPlan::synthetic_marker);
        headers.into_iter().chain(marker).collect()
    }

    /// The endpoint before its handshake, if it needs one: it gets no events.
    fn before_handshake(&self, plan: &EndpointPlan) -> EndpointPlan {
        let has_handshake = self.account().platform.handshake.proof.is_some();
        let early = if has_handshake { Subscription::default() } else { plan.subscription.clone() };
        EndpointPlan { subscription: early, ..plan.clone() }
    }

    /// Adds an endpoint of an earlier process. One that cannot be used any more keeps its place.
    ///
    /// # Errors
    /// The reason why an endpoint that was not removed cannot be used.
    pub(super) fn restore_endpoint(&self, stored: StoredEndpoint) -> Result<(), String> {
        let StoredEndpoint { number, url, events, is_configured, is_removed } = stored;
        let usable = self.usable(&url, events.as_deref());
        let shown = Url::parse(&url).or_else(|_| Url::parse("http://unknown.invalid/"));
        let (shown, subscription) = match &usable {
            Ok(usable) => usable.clone(),
            Err(_) => (shown.map_err(|error| error.to_string())?, Subscription::default()),
        };
        let headers = self.marked(&shown, &ConnectionOptions::default(), Vec::new());
        // Found again by its reference when the configuration, which has the address, is read.
        let reference = references::first(&url).filter(|found| found.length == url.len());
        let reference = reference.map(|found| found.name.to_owned());
        let plan = EndpointPlan::new(number, shown, subscription);
        let plan = EndpointPlan { reference, headers, ..plan };
        // A configured one comes back with the configuration, which has its secrets.
        let is_active = !is_removed && !is_configured && usable.is_ok();
        let early = if is_active {
            self.before_handshake(&plan)
        } else {
            EndpointPlan { subscription: Subscription::default(), ..plan.clone() }
        };
        self.emulator.add_endpoint(early);
        self.all().push(ServedEndpoint { plan, events, is_configured, is_removed: !is_active });
        match usable {
            Err(reason) if !is_removed && !is_configured => Err(reason),
            _ => Ok(()),
        }
    }

    /// Checks the address and events of a stored endpoint.
    fn usable(&self, url: &str, events: Option<&[String]>) -> Result<(Url, Subscription), String> {
        if url.contains("${") {
            return Err("its URL contains a secret, which a journal does not have".to_owned());
        }
        let url = receiver_url(url)?;
        self.check_address(&url, None).map_err(|problem| problem.message)?;
        let subscription = self.subscription(events).map_err(|problem| problem.message)?;
        Ok((url, subscription))
    }

    /// Gives an endpoint of an earlier process its address and headers again. Returns false if there
    /// is no such endpoint.
    pub(super) fn reconfigure(&self, request: &EndpointRequest) -> bool {
        let Ok(url) = receiver_url(&request.url) else { return false };
        let reference = request.reference.as_deref();
        if self.check_address(&url, reference).is_err() {
            return false;
        }
        let Ok(subscription) = self.subscription(request.events.as_deref()) else { return false };
        let shown = shown_url(&url, reference);
        let mut all = self.all();
        let is_same = |endpoint: &&mut ServedEndpoint| {
            endpoint.is_configured
                && endpoint.events == request.events
                && endpoint.shown_url() == shown
        };
        let Some(known) = all.iter_mut().find(is_same) else { return false };
        known.is_removed = false;
        known.plan.headers = self.marked(&url, &request.options, request.headers.clone());
        known.plan.reference.clone_from(&request.reference);
        known.plan.options = Arc::clone(&request.options);
        (known.plan.url, known.plan.subscription) = (url, subscription);
        self.emulator.add_endpoint(self.before_handshake(&known.plan));
        true
    }

    /// Gives the endpoints the subscriptions that they had before a restart.
    pub(super) fn restore_subscriptions(&self, known: &[EndpointSubscription]) {
        for endpoint in self.endpoints() {
            let number = endpoint.plan.number;
            let found = known.iter().find(|fact| fact.endpoint == number);
            if let Some(EndpointSubscription { events, .. }) = found {
                let subscription = Subscription::of(events);
                self.emulator.add_endpoint(EndpointPlan { subscription, ..endpoint.plan });
            }
        }
    }

    /// Returns these endpoints, those that were removed as well.
    pub(super) fn endpoints_of(&self, numbers: &[u32]) -> Vec<ServedEndpoint> {
        let is_listed = |endpoint: &&ServedEndpoint| numbers.contains(&endpoint.plan.number);
        self.all().iter().filter(is_listed).cloned().collect()
    }

    /// Returns the event types that an endpoint gets, as patterns; `None` before its first handshake.
    pub fn subscribed(
        &self,
        endpoint: &ServedEndpoint,
        state: &EndpointState,
    ) -> Option<Vec<String>> {
        let has_handshake = self.account().platform.handshake.proof.is_some();
        match (&state.subscribed, &state.handshake) {
            (Some(recorded), _) => Some(recorded.clone()),
            (None, Some(handshake)) if !handshake.continues => Some(Vec::new()),
            (None, None) if has_handshake => None,
            (None, _) => Some(endpoint.plan.subscription.patterns()),
        }
    }

    /// Returns the secrets that records of a run with these endpoints have references for.
    pub(super) fn known_secrets(&self, endpoints: &[u32]) -> KnownSecrets {
        let endpoints = self.endpoints_of(endpoints);
        known_secrets(&self.account(), endpoints.iter().map(|endpoint| &endpoint.plan))
    }

    /// Removes an endpoint. It gets no more events.
    ///
    /// # Errors
    /// The endpoint does not exist.
    pub(super) fn remove_endpoint(&self, number: u32) -> Result<(), LiveError> {
        let mut all = self.all();
        let matches =
            |endpoint: &&mut ServedEndpoint| endpoint.plan.number == number && !endpoint.is_removed;
        let Some(endpoint) = all.iter_mut().find(matches) else {
            return Err(LiveError::unknown("endpoint", &number.to_string(), &[]));
        };
        endpoint.is_removed = true;
        self.emulator.remove_endpoint(number);
        Ok(())
    }

    /// Refuses addresses that the operator has not allowed, and those of the server.
    fn check_address(&self, url: &Url, reference: Option<&str>) -> Result<(), Problem> {
        self.egress.check_url(url).map_err(|blocked| {
            let message =
                format!("sending to `{}` is not allowed: {blocked}", shown_url(url, reference));
            Problem::anywhere(code::FORBIDDEN_ADDRESS, message).help(blocked.help())
        })?;
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let port = url.port_or_known_default();
        let is_local = ip_host(url).map_or_else(
            || url.domain().is_some_and(is_localhost),
            |address| address.is_loopback() || own.iter().any(|own| own.ip() == address),
        );
        if is_local && own.iter().any(|own| Some(own.port()) == port) {
            let message = format!("`{}` is this server, not a receiver", shown_url(url, reference));
            let problem = Problem::anywhere(code::FORBIDDEN_ADDRESS, message);
            return Err(problem.help("use the port of your receiver"));
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, Vec<ServedEndpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
