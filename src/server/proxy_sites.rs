//! The emulated APIs that are reached through the proxy, by host name.

use crate::emulator::EmulatorSlot;
use crate::platform::api::HostPattern;

/// An emulated API behind the proxy.
#[derive(Clone, Debug)]
pub struct ProxySite {
    /// Host names of the vendor.
    pub hosts: Vec<HostPattern>,
    /// Where the live account is found.
    pub slot: EmulatorSlot,
}

/// All emulated APIs behind the proxy.
#[derive(Debug)]
pub(super) struct ProxySites(pub(super) Vec<ProxySite>);

impl ProxySites {
    /// Returns where the account of a host name is found.
    pub(super) fn find(&self, host: &str) -> Option<&EmulatorSlot> {
        let host = host.to_ascii_lowercase();
        let mut sites = self.0.iter();
        let site = sites.find(|site| site.hosts.iter().any(|pattern| pattern.matches(&host)))?;
        Some(&site.slot)
    }

    /// Returns whether `CONNECT` may open a tunnel to this host and port.
    pub(super) fn allows(&self, host: &str, port: u16) -> bool {
        // Ports of https and http, at which the vendor would be.
        matches!(port, 443 | 80) && self.find(host).is_some()
    }

    /// Returns the message for a client that asks for something else.
    pub(super) fn refusal(&self, target: &str) -> String {
        let hosts = self.0.iter().flat_map(|site| &site.hosts);
        let hosts: Vec<String> = hosts.map(ToString::to_string).collect();
        format!(
            "standin's proxy does not serve `{target}`. It serves only the host names of the emulated \
             vendors, at port 443 or 80: {}. Add other hosts to NO_PROXY.\n",
            hosts.join(", ")
        )
    }
}
