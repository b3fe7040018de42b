//! `run --listen`: the APIs of the emulated vendors, served while the runs last.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use clap::Args;

use super::api_ports::{ApiPorts, ProxyArgs, reachable};
use super::exit::CommandError;
use super::planned_runs::PlannedRuns;
use super::receivers::ReceiverArgs;
use super::setup::Setup;
use super::terminal::note;
use crate::diag::{Problem, code};
use crate::emulator::EmulatorSlot;
use crate::platform::Platform;
use crate::run::ApiAccess;
use crate::scenario::Script;

/// Options of the vendors' APIs.
#[derive(Debug, Args)]
pub(super) struct ApiArgs {
    /// Serve the API of each emulated vendor during the runs, so that the receiver can call it; ADDR
    /// is the interface [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, require_equals = true,
          default_missing_value = "127.0.0.1", conflicts_with_all = ["dry_run", "curl", "shrink"])]
    listen: Option<IpAddr>,
    /// Port of a vendor's API; can be repeated [default: from the configuration, or a free port]
    #[arg(long = "port", value_name = "VENDOR=PORT", requires = "listen", value_parser = vendor_port)]
    ports: Vec<VendorPort>,
    #[command(flatten)]
    proxy: ProxyArgs,
}

/// Value of `--port`.
#[derive(Clone, Debug)]
struct VendorPort {
    vendor: String,
    port: u16,
}

/// Parses `VENDOR=PORT`. clap prints the error.
fn vendor_port(text: &str) -> Result<VendorPort, String> {
    let parsed = text.split_once('=').and_then(|(vendor, port)| {
        Some(VendorPort { vendor: vendor.to_owned(), port: port.parse().ok()? })
    });
    parsed.ok_or_else(|| "expected VENDOR=PORT, such as `acme=8080`".to_owned())
}

impl ApiArgs {
    /// Starts the API of each vendor of the runs, and prints its address. `None` without `--listen`.
    pub(super) fn serve(
        &self,
        runs: &mut PlannedRuns<'_>,
        receivers: &ReceiverArgs,
        setup: &Setup,
    ) -> Result<Option<ApiPorts>, CommandError> {
        let Some(interface) = self.listen else { return Ok(None) };
        self.check(runs.platforms(), setup)?;
        let mut apis = BTreeMap::new();
        let mut ports = ApiPorts::new(interface)?;
        for platform in runs.platforms().iter().filter(|platform| !platform.api.is_empty()) {
            let slot = EmulatorSlot::default();
            let address = ports.serve(platform, self.port(platform, setup), slot.clone())?;
            for url in ports.urls(address) {
                note(format_args!("{} API: {url}", platform.name));
            }
            apis.insert(platform.id.clone(), ApiAccess { slot, egress: receivers.egress() });
        }
        if let Some(port) = self.proxy.proxy {
            note(format_args!("proxy: http://{}", reachable(ports.serve_proxy(port)?)));
        }
        if let Some(authority) = &ports.authority {
            note(format_args!("CA file: {}", authority.file.display()));
        }
        runs.serve_apis(apis);
        Ok(Some(ports))
    }

    /// Returns the problem of a script that expects calls at a vendor whose API is not served.
    pub(super) fn check_served(&self, script: &Script, vendor: &Platform) -> Option<Problem> {
        let span = script.needs_calls(vendor).filter(|_| self.listen.is_none())?;
        let message =
            format!("this waits for calls to the API of {}, which is not served", vendor.name);
        let problem = Problem::at(span, code::API_NOT_SERVED, message);
        Some(problem.help(format!(
            "add `--listen --port {id}=8080`, and set `http://127.0.0.1:8080` as the address of the API in \
             your receiver. `standin secrets {id}` prints the credentials",
            id = vendor.id
        )))
    }

    fn check(&self, platforms: &[Arc<Platform>], setup: &Setup) -> Result<(), Problem> {
        if platforms.iter().all(|platform| platform.api.is_empty()) {
            let message = "no vendor of these runs has an API";
            let problem = Problem::anywhere(code::NOTHING_TO_RUN, message);
            return Err(problem.help(setup.vendors_with_api()));
        }
        let is_unknown = |port: &&VendorPort| !setup.catalog.contains(&port.vendor);
        match self.ports.iter().find(is_unknown) {
            Some(port) => Err(setup.catalog.unknown(&port.vendor)),
            None => Ok(()),
        }
    }

    /// Returns the port of a vendor's API; 0 for a free one.
    fn port(&self, vendor: &Platform, setup: &Setup) -> u16 {
        let own = self.ports.iter().rfind(|port| port.vendor == vendor.id).map(|port| port.port);
        own.or(setup.api_port(vendor)).unwrap_or(0)
    }
}
