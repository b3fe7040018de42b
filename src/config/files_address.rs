//! Where the sample files are served, and the host that links name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

use crate::base::address::is_localhost;
use crate::diag::{Problem, Scalar, SyntaxNode, code};

/// Address of the sample files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesAddress {
    /// Host in the links.
    pub host: FilesHost,
    /// Port that serves them.
    pub port: u16,
}

/// Host name or address in the links to sample files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesHost(Host);

impl FilesAddress {
    /// Returns the base URL of the sample files.
    pub fn url(&self) -> String {
        format!("http://{}:{}/files", self.host.0, self.port)
    }

    /// Returns the interface to listen on: loopback, or all of them if the links name another host.
    pub fn interface(&self) -> IpAddr {
        match &self.host.0 {
            Host::Domain(name) if is_localhost(name) => Ipv4Addr::LOCALHOST.into(),
            Host::Ipv4(address) if address.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            Host::Ipv6(address) if address.is_loopback() => Ipv6Addr::LOCALHOST.into(),
            Host::Ipv6(_) => Ipv6Addr::UNSPECIFIED.into(),
            // A container reaches the host through another interface than loopback.
            Host::Domain(_) | Host::Ipv4(_) => Ipv4Addr::UNSPECIFIED.into(),
        }
    }
}

impl fmt::Display for FilesHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FilesHost {
    /// Parses a host name or an IP address. The error is a message for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        // As in a URL, an IPv6 address may have brackets, but it need not.
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let host = bare.parse::<Ipv6Addr>().map(Host::Ipv6).or_else(|_| Host::parse(text));
        let is_pattern = |host: &Host| matches!(host, Host::Domain(name) if name.contains('*'));
        let host = host.ok().filter(|host| !is_pattern(host)).ok_or_else(|| {
            format!("expected a host name or an IP address without a port, found `{text}`")
        })?;
        let is_every = match &host {
            Host::Ipv4(address) => address.is_unspecified(),
            Host::Ipv6(address) => address.is_unspecified(),
            Host::Domain(_) => false,
        };
        // An address to listen on. The files are served on all interfaces for any other host than loopback.
        if is_every {
            return Err(format!(
                "`{text}` is not an address that a receiver can open: name the host by which it reaches \
                 this machine"
            ));
        }
        Ok(Self(host))
    }
}

impl Scalar for FilesHost {
    fn parse_node(node: &SyntaxNode) -> Result<Self, Problem> {
        let text = String::parse_node(node)?;
        Self::parse(&text).map_err(|message| Problem::at(&node.span, code::INVALID_TYPE, message))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "string", "examples": ["127.0.0.1", "host.docker.internal"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_parsed_and_select_the_interface() {
        for (host, url, interface) in [
            ("127.0.0.1", "http://127.0.0.1:1/files", "127.0.0.1"),
            ("localhost", "http://localhost:1/files", "127.0.0.1"),
            ("::1", "http://[::1]:1/files", "::1"),
            ("[fd00::1]", "http://[fd00::1]:1/files", "::"),
            ("host.docker.internal", "http://host.docker.internal:1/files", "0.0.0.0"),
            ("172.17.0.1", "http://172.17.0.1:1/files", "0.0.0.0"),
        ] {
            let address = FilesAddress { host: FilesHost::parse(host).unwrap(), port: 1 };
            assert_eq!(
                (address.url().as_str(), address.interface()),
                (url, interface.parse().unwrap())
            );
        }
        for invalid in ["", "http://x", "x:80", "a b", "a/b", "::1:x", "*", "0.0.0.0", "[::]"] {
            assert!(FilesHost::parse(invalid).is_err(), "{invalid}");
        }
    }
}
