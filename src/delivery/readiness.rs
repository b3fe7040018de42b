//! Waits until a receiver is ready: it gives an HTTP response, whatever the status.
//!
//! An open TCP port is not enough. A published container port accepts connections long before the
//! application behind it can respond.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy as Redirects;
use tokio::time::{Instant, sleep};
use url::Url;

use super::causes::innermost;
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
    pub async fn wait_ready(&self, url: &Url, within: Duration) -> Result<(), AttemptFailure> {
        let deadline = Instant::now() + within;
        let client = self.direct_client()?;
        let mut limit = FIRST_PROBE;
        loop {
            // reqwest resolves names through this connector, but never asks about literal addresses.
            self.check_literal(url)?;
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

    /// An ordinary client: direct, without redirects, to addresses that the policy allows.
    pub(super) fn direct_client(&self) -> Result<Client, AttemptFailure> {
        let client = Client::builder()
            .no_proxy()
            .redirect(Redirects::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(self.clone()))
            .tls_backend_preconfigured(self.tls_config())
            .build();
        client.map_err(|error| AttemptFailure::new(AttemptOutcome::Unsendable, innermost(&error)))
    }
}

impl Resolve for Connector {
    fn resolve(&self, name: Name) -> Resolving {
        let connector = self.clone();
        Box::pin(async move {
            let addresses = connector.addresses(name.as_str()).await?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
