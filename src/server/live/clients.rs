//! Calls of client programs to the vendors' APIs, which come whether or not a run is in progress.

use std::future::ready;
use std::sync::{Arc, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::LiveServer;
use super::runs::RunRequest;
use super::vendor::ServedVendor;
use crate::delivery::ClockMode;
use crate::diag::Source;
use crate::emulator::{EmulatorSlot, RunStarter};

/// Name of the scenario of runs that calls start.
const NAME: &str = "clients";
/// The scenario of these runs. Clients open the conversations, so that none of them plays its step.
/// People speak in them as the members of its cast.
const SCENARIO: &str = "name = \"opened by clients\"\n\
    [cast.agent]\nrole = \"agent\"\n[cast.bot]\nrole = \"bot\"\n[[step]]\nopen = {}\n";

impl LiveServer {
    /// Returns where a listener finds the live account of a vendor, if the vendor has an API. A call
    /// that comes while no run is in progress starts one. So does a call that opens a conversation, if
    /// there is a scenario for that.
    pub fn api_slot(self: &Arc<Self>, vendor: &ServedVendor) -> Option<EmulatorSlot> {
        if vendor.account().platform.api.is_empty() {
            return None;
        }
        let starting = |begin: fn(Arc<Self>, String) -> BoxFuture<'static, ()>| {
            let (server, id) = (Arc::downgrade(self), vendor.id().to_owned());
            RunStarter::new(move || match server.upgrade() {
                Some(server) => begin(server, id.clone()),
                None => ready(()).boxed(),
            })
        };
        let slot = EmulatorSlot::default().starting(starting(|server, id| {
            async move { server.start_client_run(id).await }.boxed()
        }));
        let on_open = starting(|server, id| async move { server.start_on_open(id).await }.boxed());
        slot.set(vendor.emulator.clone().on_open(on_open));
        Some(slot)
    }

    async fn start_client_run(&self, vendor: String) {
        let request = request(vendor, Source::new(NAME, SCENARIO), 0);
        // An error means that the server accepts no runs. The call gets 503 then.
        if let Ok(run) = self.start_checked(&request).await {
            run.begun().await;
        }
    }

    /// Starts a run of the scenario for conversations that clients open, if the vendor has one.
    async fn start_on_open(&self, vendor: String) {
        let known =
            self.on_open.read().unwrap_or_else(PoisonError::into_inner).get(&vendor).cloned();
        let Some(source) = known else { return };
        // In its newest version, if it has been reloaded.
        let source = self.scenario(&source.name).unwrap_or(source);
        let request = request(vendor, source, 1);
        match self.start_checked(&request).await {
            Ok(run) => run.begun().await,
            Err(error) => {
                let (vendor, scenario) = (&request.vendor, &request.source.name);
                tracing::warn!(vendor, scenario, %error, "conversation without its scenario");
            }
        }
    }
}

/// A run that a call starts: in real time, like the clients.
fn request(vendor: String, source: Arc<Source>, conversations: u32) -> RunRequest {
    let clock = ClockMode::Real(1.0);
    RunRequest { vendor, source, seed: None, clock, conversations, is_paused: false }
}
