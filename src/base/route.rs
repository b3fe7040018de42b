//! How requests reach a receiver, if not at the addresses that its host name has.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use super::secret::Secret;

/// Addresses in place of those that a host name has: `HOST:PORT:ADDRESS`, as curl writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveRule {
    /// Host name in lowercase, or `*` for every host.
    host: String,
    port: u16,
    /// The addresses, at least one.
    pub addresses: Vec<IpAddr>,
}

impl ResolveRule {
    /// Parses a rule. The error is a message for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "expected HOST:PORT:ADDRESS, such as `hooks.example.test:443:127.0.0.1`, found `{text}`"
            )
        };
        let mut parts = text.splitn(3, ':');
        let (host, port, addresses) = (parts.next(), parts.next(), parts.next());
        let host =
            host.filter(|host| *host == "*" || Host::parse(host).is_ok()).ok_or_else(expected)?;
        let port = port.and_then(|port| port.parse().ok()).filter(|port| *port > 0);
        let addresses = addresses.into_iter().flat_map(|list| list.split(','));
        let parse = |address: &str| {
            address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok()
        };
        let addresses = addresses.map(parse).collect::<Option<Vec<IpAddr>>>();
        match (port, addresses.filter(|addresses| !addresses.is_empty())) {
            (Some(port), Some(addresses)) => {
                Ok(Self { host: host.to_ascii_lowercase(), port, addresses })
            }
            _ => Err(expected()),
        }
    }

    /// Returns whether the rule is about this host and port.
    pub fn applies_to(&self, host: &str, port: u16) -> bool {
        let is_host = self.host == "*" || self.host.eq_ignore_ascii_case(host);
        is_host && self.port == port
    }
}

impl fmt::Display for ResolveRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        write!(formatter, "{}:{}:{}", self.host, self.port, addresses.join(","))
    }
}

/// A forward proxy for requests to receivers.
#[derive(Clone, PartialEq, Eq)]
pub struct ForwardProxy {
    /// URL without credentials.
    pub url: Url,
    /// Value of the header `Proxy-Authorization`.
    pub authorization: Option<Secret>,
    /// The password, so that it can be removed from output.
    pub password: Option<Secret>,
}

impl ForwardProxy {
    /// Parses the URL of a proxy, which may contain a user name and a password. The error is a message
    /// for the user, without these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "the proxy must be a URL such as `http://proxy.example.test:3128`";
        let mut url = Url::parse(text).map_err(|_| expected.to_owned())?;
        if url.scheme() != "http" {
            return Err(format!("{expected}, found the scheme `{}`", url.scheme()));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.host().is_none() {
            return Err(expected.to_owned());
        }
        let decode = |part: &str| {
            percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
        };
        let (user, password) = (decode(url.username()), url.password().map(decode));
        let has_credentials = !user.is_empty() || password.is_some();
        let authorization = has_credentials.then(|| {
            let pair = format!("{user}:{}", password.clone().unwrap_or_default());
            Secret::private(format!("Basic {}", STANDARD.encode(pair)))
        });
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, authorization, password: password.map(Secret::private) })
    }

    /// Host and port, for messages.
    pub fn host_and_port(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for ForwardProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ForwardProxy").field(&self.host_and_port()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_parsed_as_curl_does() {
        let rule = ResolveRule::parse("Hooks.example.test:443:127.0.0.1,[::1]").unwrap();
        assert_eq!(rule.to_string(), "hooks.example.test:443:127.0.0.1,::1");
        assert!(rule.applies_to("HOOKS.example.test", 443));
        assert!(!rule.applies_to("hooks.example.test", 80));
        assert!(!rule.applies_to("example.test", 443));
        assert!(ResolveRule::parse("*:80:10.0.0.1").unwrap().applies_to("any.test", 80));
        for invalid in
            ["", "x", "x:1", "x:1:", "x:0:127.0.0.1", "x:a:127.0.0.1", "x:1:name", "a b:1:::1"]
        {
            assert!(ResolveRule::parse(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn proxies_have_credentials_that_no_message_shows() {
        let proxy = ForwardProxy::parse("http://me:p%40ss@proxy.example.test:3128").unwrap();
        assert_eq!(proxy.url.as_str(), "http://proxy.example.test:3128/");
        assert_eq!(proxy.authorization.unwrap().expose(), "Basic bWU6cEBzcw==");
        assert_eq!(
            ForwardProxy::parse("http://127.0.0.1").unwrap().host_and_port(),
            "127.0.0.1:80"
        );
        for invalid in
            ["x", "https://me:pass@x", "http://me:pass@x/path", "socks5://x", "me:pass@x:1"]
        {
            let message = ForwardProxy::parse(invalid).unwrap_err();
            assert!(!message.contains("pass"), "{message}");
        }
    }
}
