//! What to type next, where a run shows what is missing.

use url::{Host, Url};

/// How to start a receiver at this address: one's own, or ours where that can be there.
pub fn start_one(vendor: &str, url: &Url) -> String {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        _ => false,
    };
    match url.port_or_known_default().filter(|_| is_here) {
        Some(port) => format!(
            "start your receiver, or one that verifies: standin listen {vendor} --port {port}"
        ),
        None => "start your receiver".to_owned(),
    }
}
