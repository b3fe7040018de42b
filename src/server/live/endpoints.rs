//! Endpoints of the server: added and removed by people, and restored after a restart.

use super::LiveServer;
use super::endpoint_states::EndpointState;
use super::error::LiveError;
use super::store::ServerFact;
use super::vendor::{EndpointRequest, ServedEndpoint, ServedVendor};

/// An endpoint in a list.
#[derive(Clone, Debug)]
pub struct ListedEndpoint {
    /// The endpoint.
    pub endpoint: ServedEndpoint,
    /// What the records say about it.
    pub state: EndpointState,
    /// Whether a call to the vendor's API has subscribed it.
    pub is_subscribed_by_call: bool,
}

impl LiveServer {
    /// Adds an endpoint to a vendor.
    ///
    /// # Errors
    /// The vendor does not exist, the address or a pattern is not valid, or the journal failed.
    pub async fn add_endpoint(
        &self,
        vendor: &str,
        request: EndpointRequest,
    ) -> Result<ServedEndpoint, LiveError> {
        let served = self.vendor(vendor)?;
        self.readiness()?;
        let endpoint = served.add_endpoint(request)?;
        self.note(ServerFact::EndpointAdded {
            vendor: vendor.to_owned(),
            number: endpoint.plan.number,
            url: endpoint.shown_url(),
            events: endpoint.events.clone(),
            configured: endpoint.is_configured,
        })
        .await?;
        self.history.touch();
        Ok(endpoint)
    }

    /// Adds an endpoint of the command line or the configuration, unless it is there already. It gets
    /// the headers, which a journal does not have.
    ///
    /// # Errors
    /// As for [`LiveServer::add_endpoint`].
    pub async fn configure_endpoint(
        &self,
        vendor: &str,
        request: EndpointRequest,
    ) -> Result<(), LiveError> {
        let request = EndpointRequest { is_configured: true, ..request };
        if self.vendor(vendor)?.reconfigure(&request) {
            return Ok(());
        }
        self.add_endpoint(vendor, request).await.map(drop)
    }

    /// Returns the endpoints of a vendor, in the order of numbers.
    pub async fn endpoints(&self, vendor: &ServedVendor) -> Vec<ListedEndpoint> {
        let listed = |endpoint: ServedEndpoint, is_subscribed: bool| {
            let state = self.history.endpoint(vendor.id(), endpoint.plan.number);
            ListedEndpoint { endpoint, state, is_subscribed_by_call: is_subscribed }
        };
        let subscribed =
            vendor.emulator.subscribed().await.into_iter().map(ServedEndpoint::of_call);
        let mut all: Vec<ListedEndpoint> = subscribed.map(|one| listed(one, true)).collect();
        all.extend(vendor.endpoints().into_iter().map(|one| listed(one, false)));
        all.sort_by_key(|listed| listed.endpoint.plan.number);
        all
    }

    /// Removes an endpoint of a vendor.
    ///
    /// # Errors
    /// There is no such endpoint, a call has subscribed it, or the journal failed.
    pub async fn remove_endpoint(&self, vendor: &str, number: u32) -> Result<(), LiveError> {
        let served = self.vendor(vendor)?;
        self.readiness()?;
        let subscribed = served.emulator.subscribed().await;
        if subscribed.iter().any(|plan| plan.number == number) {
            let message = format!("a call has subscribed endpoint {number} of {vendor}");
            let help = "end the subscription with a call to the vendor's API";
            return Err(LiveError::conflict(message, help));
        }
        served.remove_endpoint(number)?;
        self.note(ServerFact::EndpointRemoved { vendor: vendor.to_owned(), number }).await?;
        self.history.touch();
        Ok(())
    }

    pub(super) async fn note(&self, fact: ServerFact) -> Result<(), LiveError> {
        match &self.journal {
            Some(journal) if !journal.note(&fact).await => Err(self.not_stored()),
            Some(_) | None => Ok(()),
        }
    }
}
