//! An emulated vendor of the server: its emulator and its endpoints.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use url::Url;

use super::error::LiveError;
use crate::base::address::{EgressPolicy, ip_host, is_localhost};
use crate::base::limits::MAX_ENDPOINTS;
use crate::base::redact::shown_url;
use crate::base::secret::Secret;
use crate::config::receiver_url;
use crate::delivery::{AttemptSlots, Connector, Http1Client};
use crate::diag::{Problem, code};
use crate::emulator::{Emulator, EmulatorSlot, EndpointPlan};
use crate::platform::{Account, Subscription};

/// An emulated vendor.
pub struct ServedVendor {
    /// The account.
    pub account: Arc<Account>,
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
    /// Whether it was removed.
    is_removed: bool,
}

/// A new endpoint.
#[derive(Clone, Debug, Default)]
pub struct EndpointRequest {
    /// The receiver's address.
    pub url: String,
    /// Event types, as patterns; `None` for the vendor's default.
    pub events: Option<Vec<String>>,
    /// Headers beside the vendor's.
    pub headers: Vec<(String, Secret)>,
}

impl ServedEndpoint {
    /// Returns the address for display.
    pub fn shown_url(&self) -> String {
        shown_url(&self.plan.url)
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
            account,
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
        &self.account.platform.id
    }

    /// Returns where a listener finds the live account, if the vendor has an API.
    pub fn api_slot(&self) -> Option<EmulatorSlot> {
        let slot = EmulatorSlot::default();
        slot.set(self.emulator.clone());
        (!self.account.platform.api.is_empty()).then_some(slot)
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
        let EndpointRequest { url, events, headers } = request;
        let url = receiver_url(&url)
            .map_err(|message| Problem::anywhere(code::INVALID_URL, message))
            .map_err(|problem| problem.help("example: `http://localhost:3000/hooks`"))?;
        self.check_address(&url)?;
        let platform = &self.account.platform;
        let patterns = events.as_deref();
        let subscription = patterns
            .map(|patterns| Subscription::check_plain(patterns, &platform.type_names()))
            .transpose()?;
        let subscription = platform.subscription(subscription);
        let mut all = self.all();
        if all.iter().filter(|endpoint| !endpoint.is_removed).count() >= MAX_ENDPOINTS {
            let message = format!("a vendor has at most {MAX_ENDPOINTS} endpoints");
            return Err(LiveError::conflict(message, "remove one that is not used"));
        }
        let number = u32::try_from(all.len() + 1).unwrap_or(u32::MAX);
        let marker = self.egress.may_be_public(&url).then(EndpointPlan::synthetic_marker);
        let headers = headers.into_iter().chain(marker).collect();
        let plan = EndpointPlan { number, url, headers, subscription };
        // Before its handshake, it gets no events.
        let has_handshake = platform.handshake.proof.is_some();
        let early = if has_handshake { Subscription::default() } else { plan.subscription.clone() };
        self.emulator.add_endpoint(EndpointPlan { subscription: early, ..plan.clone() });
        all.push(ServedEndpoint { plan, events, is_removed: false });
        Ok(all[all.len() - 1].clone())
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
    fn check_address(&self, url: &Url) -> Result<(), Problem> {
        self.egress.check_url(url).map_err(|blocked| {
            let message = format!("sending to `{}` is not allowed: {blocked}", shown_url(url));
            Problem::anywhere(code::FORBIDDEN_ADDRESS, message).help(blocked.help())
        })?;
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let port = url.port_or_known_default();
        let is_local = ip_host(url).map_or_else(
            || url.domain().is_some_and(is_localhost),
            |address| address.is_loopback() || own.iter().any(|own| own.ip() == address),
        );
        if is_local && own.iter().any(|own| Some(own.port()) == port) {
            let message = format!("`{}` is this server, not a receiver", shown_url(url));
            let problem = Problem::anywhere(code::FORBIDDEN_ADDRESS, message);
            return Err(problem.help("use the port of your receiver"));
        }
        Ok(())
    }

    fn all(&self) -> MutexGuard<'_, Vec<ServedEndpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
