//! `run --listen`: the APIs of the emulated vendors, served while the runs last.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use clap::Args;

use super::api_addresses::ApiAddresses;
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

/// The APIs that are served during the runs.
pub(super) struct RunApis {
    pub(super) ports: ApiPorts,
    addresses: Vec<ApiAddresses>,
    /// URL of the proxy.
    proxy: Option<String>,
}

impl RunApis {
    /// Returns the variables with which a client reaches the APIs, by name.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.addresses.iter().flat_map(ApiAddresses::variables).collect();
        // With several vendors, it would be unknown which one is meant.
        if let [only] = self.addresses.as_slice() {
            all.extend(only.urls.first().map(|url| ("STANDIN_URL".to_owned(), url.clone())));
        }
        let ca = self.addresses.iter().find_map(|addresses| addresses.ca.as_ref());
        all.extend(ca.map(|file| ("STANDIN_CA".to_owned(), file.display().to_string())));
        if let Some(url) = &self.proxy {
            // Some clients read the names in capitals, others those in small letters.
            for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
                all.push((name.to_owned(), url.clone()));
            }
            for name in ["NO_PROXY", "no_proxy"] {
                all.push((name.to_owned(), NOT_PROXIED.to_owned()));
            }
        }
        all
    }
}

fn proxy_without_listen() -> Problem {
    let message = "`--serve-proxy` serves the APIs of `--listen`, which is missing";
    Problem::anywhere(code::CONTRADICTION, message).help("add `--listen`")
}

/// Hosts that clients reach without the proxy.
const NOT_PROXIED: &str = "localhost,127.0.0.1,::1";

impl ApiArgs {
    /// Returns the options that are set as command-line arguments.
    pub(super) fn flags(&self) -> Vec<String> {
        let Some(interface) = self.listen else { return Vec::new() };
        let mut flags = vec![format!("--listen={interface}")];
        for VendorPort { vendor, port } in &self.ports {
            flags.extend(["--port".to_owned(), format!("{vendor}={port}")]);
        }
        flags.extend(self.proxy.serve_proxy.map(|port| format!("--serve-proxy={port}")));
        flags
    }

    /// Returns whether runs need no receiver, because calls can subscribe one.
    pub(super) fn can_subscribe(&self, vendor: &Platform) -> bool {
        self.listen.is_some() && vendor.api.can_subscribe()
    }

    /// Starts the API of each vendor of the runs, and prints its address. `None` without `--listen`.
    pub(super) fn serve(
        &self,
        runs: &mut PlannedRuns<'_>,
        receivers: &ReceiverArgs,
        setup: &Setup,
    ) -> Result<Option<RunApis>, CommandError> {
        let Some(interface) = self.listen else {
            return self.proxy.serve_proxy.map_or(Ok(None), |_| Err(proxy_without_listen().into()));
        };
        self.check(runs.platforms(), setup)?;
        let mut apis = BTreeMap::new();
        let mut ports = ApiPorts::new(interface)?;
        let ca = ports.authority.as_ref().map(|authority| authority.file.clone());
        let mut addresses = Vec::new();
        for platform in runs.platforms().iter().filter(|platform| !platform.api.is_empty()) {
            let slot = EmulatorSlot::default();
            let address = ports.add(platform, self.port(platform, setup), slot.clone())?;
            let urls = ports.urls(address);
            for url in &urls {
                note(format_args!("{} API: {url}", platform.name));
            }
            addresses.push(ApiAddresses::new(platform, urls, ca.clone()));
            let access = ApiAccess { slot, egress: receivers.egress() };
            apis.insert(platform.id.clone(), access);
        }
        let proxy = self.proxy.serve_proxy.map(|port| ports.add_proxy(port)).transpose()?;
        ports.start()?;
        let proxy = proxy.map(|address| format!("http://{}", reachable(address)));
        proxy.iter().for_each(|url| note(format_args!("proxy: {url}")));
        ca.iter().for_each(|file| note(format_args!("CA file: {}", file.display())));
        runs.serve_apis(apis);
        Ok(Some(RunApis { ports, addresses, proxy }))
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
