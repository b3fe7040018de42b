//! Outbound address policy: classifies IP addresses and decides which ones may receive requests.
//!
//! Host names are checked by the addresses they resolve to at connection time. An earlier check
//! would be useless, because a name can resolve differently a moment later (DNS rebinding).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Network that an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressScope {
    /// This machine.
    Loopback,
    /// A private or shared network (RFC 1918, RFC 6598, RFC 4193).
    Private,
    /// The internet.
    Public,
    /// An address that never receives webhooks, with a description such as `a reserved address`.
    Forbidden(&'static str),
}

const METADATA: AddressScope = AddressScope::Forbidden("a cloud metadata address");
const LINK_LOCAL: AddressScope =
    AddressScope::Forbidden("a link-local address, the range of cloud metadata services");

impl AddressScope {
    /// Classifies an address. An IPv6 address that embeds an IPv4 address has the scope of that
    /// IPv4 address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match Self::of_v6(address) {
                // A forbidden IPv6 range stays forbidden, whatever its last 32 bits embed.
                Self::Forbidden(what) => Self::Forbidden(what),
                scope => embedded_v4(address).map_or(scope, Self::of_v4),
            },
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            // Metadata services of Alibaba, Azure and Oracle. Other clouds use 169.254.0.0/16.
            [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => METADATA,
            [169, 254, ..] => LINK_LOCAL,
            // 0.0.0.0 as a destination connects to this machine.
            [127, ..] | [0, 0, 0, 0] => Self::Loopback,
            // 100.64.0.0/10 is shared address space (RFC 6598): carrier-grade NAT and overlay VPNs.
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            [224..=239, ..] => Self::Forbidden("a multicast address"),
            [0 | 240..=255, ..] => Self::Forbidden("a reserved address"),
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        match address.segments() {
            // Metadata services of AWS and Google Cloud, inside the range of private addresses.
            [0xfd00, 0x0ec2, ..] | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254] => METADATA,
            [0xfe80..=0xfebf, ..] => LINK_LOCAL,
            [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Self::Loopback,
            [0xfc00..=0xfdff, ..] => Self::Private,
            [0xff00..=0xffff, ..] => Self::Forbidden("a multicast address"),
            [0xfec0..=0xfeff, ..] | [0x0100, 0, 0, 0, ..] => Self::Forbidden("a reserved address"),
            _ => Self::Public,
        }
    }
}

/// Returns the IPv4 address that an IPv6 address embeds. Each of these forms could reach a
/// forbidden IPv4 address under another notation.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // `::` and `::1` are IPv6 addresses, not IPv4-compatible forms of 0.0.0.0 and 0.0.0.1.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // In order: compatible and mapped (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052,
        // RFC 8215), 6to4 (RFC 3056), ISATAP (RFC 5214).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x0064, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..]
        | [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => Some(join(high, low)),
        // Teredo (RFC 4380) stores the client's address with all bits inverted.
        [0x2001, 0, _, _, _, _, high, low] => Some(join(!high, !low)),
        _ => None,
    }
}

/// Which networks the operator allows. Only the command line sets it; scenarios cannot widen it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Allow public addresses.
    pub public: bool,
}

impl EgressPolicy {
    /// Checks the host of a URL before name resolution. A host name always passes, because its
    /// addresses are checked when the connection is made.
    pub fn check_url(self, url: &Url) -> Result<(), BlockedAddress> {
        ip_host(url).map_or(Ok(()), |address| self.check(address))
    }

    /// Returns true if a request to this URL may reach a public network: the host is a public
    /// address, or a name other than `localhost`, which may resolve to one.
    pub fn may_be_public(self, url: &Url) -> bool {
        let is_public = |address| AddressScope::of(address) == AddressScope::Public;
        self.public && ip_host(url).map_or(url.domain() != Some("localhost"), is_public)
    }

    /// Checks whether requests to this address are allowed.
    pub fn check(self, address: IpAddr) -> Result<(), BlockedAddress> {
        match AddressScope::of(address) {
            AddressScope::Loopback | AddressScope::Private => Ok(()),
            AddressScope::Public if self.public => Ok(()),
            AddressScope::Public => {
                Err(BlockedAddress { address, class: "a public address", can_be_allowed: true })
            }
            AddressScope::Forbidden(class) => {
                Err(BlockedAddress { address, class, can_be_allowed: false })
            }
        }
    }
}

/// Returns the host of a URL if it is an IP address.
pub fn ip_host(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// Error: the policy does not allow requests to this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {class}")]
pub struct BlockedAddress {
    /// The address.
    pub address: IpAddr,
    /// Kind of address, with its article: `a multicast address`.
    pub class: &'static str,
    /// True if `--allow-public` allows it.
    pub can_be_allowed: bool,
}

impl BlockedAddress {
    /// Suggests what to do about it.
    pub fn help(&self) -> &'static str {
        if self.can_be_allowed {
            "add `--allow-public` if you are authorized to send requests to this host"
        } else {
            "standin never sends requests to such addresses"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(address: &str) -> AddressScope {
        AddressScope::of(address.parse().unwrap())
    }

    #[test]
    fn loopback_and_private_addresses_are_recognized() {
        let loopback = ["127.0.0.1", "127.255.255.254", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"];
        let private = [
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "fc00::1",
            "fdff:ffff::1",
            "::ffff:192.168.0.1",
            "64:ff9b::10.0.0.1",
        ];
        loopback
            .iter()
            .for_each(|address| assert_eq!(scope(address), AddressScope::Loopback, "{address}"));
        private
            .iter()
            .for_each(|address| assert_eq!(scope(address), AddressScope::Private, "{address}"));
    }

    #[test]
    fn public_addresses_are_recognized_in_every_notation() {
        for address in [
            "8.8.8.8",
            "172.15.255.255",
            "172.32.0.1",
            "192.167.255.255",
            "100.63.255.255",
            "100.128.0.1",
            "11.0.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "223.255.255.255",
            "192.0.2.1",
            "2606:4700::1111",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert_eq!(scope(address), AddressScope::Public, "{address}");
        }
    }

    #[test]
    fn metadata_and_reserved_addresses_are_forbidden_in_every_notation() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "0.0.0.1",
            "0.255.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "febf:ffff::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100::1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:1:2:3:4:5601:5601",
            "2001:db8::200:5efe:a9fe:a9fe",
            "fe80::5efe:8.8.8.8",
        ] {
            assert!(
                matches!(scope(address), AddressScope::Forbidden(_)),
                "{address}: {:?}",
                scope(address)
            );
        }
    }

    #[test]
    fn a_url_may_be_public_only_if_its_host_can_be() {
        let is_public =
            |public, url: &str| EgressPolicy { public }.may_be_public(&Url::parse(url).unwrap());
        for url in ["http://8.8.8.8/", "https://[2606:4700::1111]/", "https://hooks.example.test/"]
        {
            assert!(is_public(true, url) && !is_public(false, url), "{url}");
        }
        for url in
            ["http://localhost:3000/", "http://127.0.0.1/", "http://10.0.0.1/", "http://[::1]/"]
        {
            assert!(!is_public(true, url), "{url}");
        }
    }

    #[test]
    fn the_flag_allows_public_addresses_but_never_metadata() {
        let (closed, open) = (EgressPolicy::default(), EgressPolicy { public: true });
        let [loopback, public, metadata] =
            ["127.0.0.1", "8.8.8.8", "169.254.169.254"].map(|address| address.parse().unwrap());
        assert!(closed.check(loopback).is_ok() && open.check(loopback).is_ok());
        assert!(closed.check(public).is_err_and(|blocked| blocked.can_be_allowed));
        assert!(open.check(public).is_ok());
        assert!(open.check(metadata).is_err_and(|blocked| !blocked.can_be_allowed));
    }
}
