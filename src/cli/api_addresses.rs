//! What a client needs to reach the API of a vendor: its addresses and the CA file.

use std::path::PathBuf;

use super::setup::Setup;
use super::shell_variable::variable;
use crate::base::text::shell_word;
use crate::platform::Platform;
use crate::server::CertificateAuthority;

/// How clients on this machine reach the API of a vendor.
#[derive(Clone, Debug)]
pub(super) struct ApiAddresses {
    vendor: String,
    /// URLs: with `http`, and with `https` if there is a CA. Empty if the port is not fixed.
    pub(super) urls: Vec<String>,
    /// File of the CA certificate.
    pub(super) ca: Option<PathBuf>,
}

impl ApiAddresses {
    pub(super) fn new(vendor: &Platform, urls: Vec<String>, ca: Option<PathBuf>) -> Self {
        Self { vendor: vendor.id.clone(), urls, ca }
    }

    /// Returns the addresses at the port of the configuration.
    // Only names the CA file: printing must not make a CA.
    pub(super) fn configured(vendor: &Platform, setup: &Setup) -> Self {
        let ca = CertificateAuthority::user_file().ok();
        let schemes = if ca.is_some() { vec!["http", "https"] } else { vec!["http"] };
        let url =
            |port: u16| schemes.iter().map(move |scheme| format!("{scheme}://127.0.0.1:{port}"));
        let urls = setup.api_port(vendor).into_iter().flat_map(url).collect();
        Self::new(vendor, urls, ca)
    }

    /// Returns the variables with these values, by name.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let names = ["api url", "api https url"].map(|name| variable(&self.vendor, name));
        let urls = names.into_iter().zip(self.urls.clone());
        let ca = self
            .ca
            .iter()
            .map(|file| (variable(&self.vendor, "api ca"), file.display().to_string()));
        urls.chain(ca).collect()
    }

    /// Returns lines for a shell or a `.env` file.
    pub(super) fn env_lines(&self) -> String {
        let line = |(name, value): (String, String)| format!("{name}={}\n", shell_word(&value));
        self.variables().into_iter().map(line).collect()
    }

    /// Describes the addresses.
    pub(super) fn description(&self) -> String {
        let mut text = "API, served by `standin run --listen` and `standin serve`:\n\n".to_owned();
        if self.urls.is_empty() {
            text += &format!(
                "  address                printed at start; `port` in [vendor.{}] fixes the port\n",
                self.vendor
            );
        }
        let labels = ["address", "address with TLS", "CA file"];
        let labels = if self.urls.is_empty() { &labels[2..] } else { &labels[..] };
        for (label, (name, value)) in labels.iter().zip(self.variables()) {
            text += &format!("  {label:<22} {value:<42} {name}\n");
        }
        text
    }
}
