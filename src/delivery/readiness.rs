//! Waits until a receiver is ready: it gives an HTTP response, whatever the status.
//!
//! An open TCP port is not enough. A published container port accepts connections long before the
//! application behind it can respond.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy as Redirects;
use reqwest::{Client, Proxy};
use tokio::time::{Instant, sleep};
use url::Url;

use super::causes::innermost;
use super::connection_options::ConnectionOptions;
use super::connector::Connector;
use super::failure::AttemptFailure;
use crate::record::AttemptOutcome;

/// Pause between two probes.
const PAUSE: Duration = Duration::from_millis(100);
/// Timeout of the first probe; it doubles with each probe that times out. A connection accepted
/// before the application was there may never be served, so no probe waits for the whole time.
const FIRST_PROBE: Duration = Duration::from_secs(1);

impl Connector {
    /// Waits until the receiver responds to an HTTP request, for at most `within`. Returns the last
    /// failure if it does not.
    pub async fn wait_ready(
        &self,
        url: &Url,
        options: &Arc<ConnectionOptions>,
        within: Duration,
    ) -> Result<(), AttemptFailure> {
        let deadline = Instant::now() + within;
        let client = self.http_client(url, options)?;
        let mut limit = FIRST_PROBE;
        loop {
            self.check_route(url, options).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            // HEAD, since a request with an effect would be a webhook that the run did not send.
            let probe = client.head(url.clone()).timeout(limit.min(left)).send().await;
            let Err(error) = probe else { return Ok(()) };
            let failure = if error.is_timeout() {
                limit *= 2;
                AttemptFailure::no_head(within)
            } else {
                AttemptFailure::of(&error, AttemptOutcome::Protocol)
            };
            let is_final = failure.outcome == AttemptOutcome::EgressBlocked;
            if is_final || Instant::now() + PAUSE >= deadline {
                return Err(failure);
            }
            sleep(PAUSE).await;
        }
    }

    /// An ordinary client for a URL, without redirects, to addresses that the policy allows.
    pub(super) fn http_client(
        &self,
        url: &Url,
        options: &Arc<ConnectionOptions>,
    ) -> Result<Client, AttemptFailure> {
        let resolver = RouteResolver {
            connector: self.clone(),
            options: Arc::clone(options),
            port: url.port_or_known_default().unwrap_or_default(),
        };
        let unsendable = |error: reqwest::Error| {
            AttemptFailure::new(AttemptOutcome::Unsendable, innermost(&error))
        };
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Redirects::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(resolver))
            .tls_backend_preconfigured(self.tls_config(options));
        if let Some(proxy) = &options.proxy {
            let mut used = Proxy::all(proxy.url.clone()).map_err(unsendable)?;
            if let Some(value) = &proxy.authorization {
                let value = HeaderValue::from_str(value.expose());
                used = used.custom_http_auth(value.map_err(|error| {
                    AttemptFailure::new(AttemptOutcome::Unsendable, error.to_string())
                })?);
            }
            builder = builder.proxy(used);
        }
        builder.build().map_err(unsendable)
    }

    /// Checks the addresses that a client of [`Self::http_client`] uses without asking for them: the
    /// literal ones, and those behind a proxy.
    pub(super) async fn check_route(
        &self,
        url: &Url,
        options: &ConnectionOptions,
    ) -> Result<(), AttemptFailure> {
        let Some(proxy) = &options.proxy else { return self.check_literal(url) };
        self.check_literal(&proxy.url)?;
        self.target_behind_proxy(url, options).await.map(drop)
    }
}

/// Resolves names for a client, within the policy.
struct RouteResolver {
    connector: Connector,
    options: Arc<ConnectionOptions>,
    /// Port of the receiver.
    port: u16,
}

impl Resolve for RouteResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (connector, options, port) =
            (self.connector.clone(), Arc::clone(&self.options), self.port);
        Box::pin(async move {
            let addresses = connector.addresses(name.as_str(), port, &options).await?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
