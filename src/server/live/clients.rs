//! Calls of client programs to the vendors' APIs, which come whether or not a run is in progress.

use std::sync::Arc;

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
    /// that comes while no run is in progress starts one.
    pub fn api_slot(self: &Arc<Self>, vendor: &ServedVendor) -> Option<EmulatorSlot> {
        if vendor.account().platform.api.is_empty() {
            return None;
        }
        let (server, id) = (Arc::downgrade(self), vendor.id().to_owned());
        let slot = EmulatorSlot::default().starting(RunStarter::new(move || {
            let (server, id) = (server.upgrade(), id.clone());
            Box::pin(async move {
                if let Some(server) = server {
                    server.start_client_run(id).await;
                }
            })
        }));
        slot.set(vendor.emulator.clone());
        Some(slot)
    }

    async fn start_client_run(&self, vendor: String) {
        let request = RunRequest {
            vendor,
            source: Source::new(NAME, SCENARIO),
            seed: None,
            clock: ClockMode::Real(1.0),
            conversations: 0,
            is_paused: false,
        };
        // An error means that the server accepts no runs. The call gets 503 then.
        if let Ok(run) = self.start_checked(&request).await {
            run.begun().await;
        }
    }
}
