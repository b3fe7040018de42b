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
    /// Classifies an address. An IPv6 address that may embed IPv4 addresses has the least local
    /// scope of them all.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                // The same destination in another notation.
                Some(address) => Self::of_v4(address),
                // The range says where the packet goes first, the IPv4 address where it may end.
                None => embedded_v4(address)
                    .into_iter()
                    .map(Self::of_v4)
                    .fold(Self::of_v6(address), Self::less_local),
            },
        }
    }

    fn less_local(self, other: Self) -> Self {
        if other.distance() > self.distance() { other } else { self }
    }

    /// Orders scopes from the most local one to the forbidden ones.
    fn distance(self) -> u8 {
        match self {
            Self::Loopback => 0,
            Self::Private => 1,
            Self::Public => 2,
            Self::Forbidden(_) => 3,
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
            // Global unicast (RFC 4291), and the NAT64 prefix that is the same everywhere (RFC 6052).
            [0x2000..=0x3fff, ..] | [0x0064, 0xff9b, 0, 0, 0, 0, ..] => Self::Public,
            // The operator chooses where in such an address the IPv4 address is (RFC 8215).
            [0x0064, 0xff9b, ..] => Self::Forbidden("a translated address of unknown destination"),
            _ => Self::Forbidden("a reserved address"),
        }
    }
}

/// Returns the IPv4 addresses that an IPv6 address may embed. Each could reach a forbidden IPv4
/// address under another notation.
fn embedded_v4(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let segments = address.segments();
    let [_, _, _, _, _, _, high, low] = segments;
    let mut found = Vec::new();
    match segments {
        [0x0064, 0xff9b, ..] => found.push(join(high, low)),
        // 6to4 (RFC 3056)
        [0x2002, high, low, ..] => found.push(join(high, low)),
        // Teredo (RFC 4380): the server, and the client with all bits inverted
        [0x2001, 0, server_high, server_low, ..] => {
            found.extend([join(server_high, server_low), join(!high, !low)]);
        }
        _ => {}
    }
    // ISATAP (RFC 5214), under any prefix
    if let [_, _, _, _, 0 | 0x0200, 0x5efe, ..] = segments {
        found.push(join(high, low));
    }
    // Any prefix can be that of a NAT64. Most numbers are no embedded address, so only those count
    // that would reach a metadata service.
    let is_metadata = |address: &Ipv4Addr| matches!(AddressScope::of_v4(*address), scope if scope == METADATA || scope == LINK_LOCAL);
    found.extend(nat64_v4(address).into_iter().filter(is_metadata));
    found
}

/// Returns the IPv4 address at each place where a NAT64 may put it (RFC 6052), by prefix length.
fn nat64_v4(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bits = u128::from(address);
    let part = |shift: u32, length: u32| {
        let mask = (1_u128 << length) - 1;
        u32::try_from(bits >> shift & mask).unwrap_or_default()
    };
    let mut found = vec![part(0, 32)];
    // Bits 64 to 71 are zero, and the IPv4 address continues behind them.
    if part(56, 8) == 0 {
        found.extend([
            part(64, 32),
            part(64, 24) << 8 | part(48, 8),
            part(64, 16) << 16 | part(40, 16),
            part(64, 8) << 24 | part(32, 24),
            part(24, 32),
        ]);
    }
    found.into_iter().map(Ipv4Addr::from).collect()
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
        self.public && ip_host(url).map_or(!url.domain().is_some_and(is_localhost), is_public)
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

/// Returns true for `localhost` and the names below it, which mean this machine (RFC 6761).
pub fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
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
            // A local IPv4 address behind a public gateway
            "64:ff9b::10.0.0.1",
            "64:ff9b::127.0.0.1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "2001:db8::5efe:127.0.0.1",
            "2001:db8::200:5efe:10.0.0.1",
            "2001:0:a00:1::80ff:fffe",
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
            // NAT64 with each prefix length, ISATAP in 6to4, the server of Teredo
            "2001:db8:a9fe:a9fe::",
            "2001:db8:1a9:fea9:fe::",
            "2001:db8:1:a9fe:a9:fe00::",
            "2001:db8:1:a9:fe:a9fe::",
            "2001:db8:1:2:a9:fea9:fe00:0",
            "2001:db8:1:2::a9fe:a9fe",
            "fd00:1:a9fe:a9fe::",
            "2002:808:808::5efe:a9fe:a9fe",
            "2001:0:a9fe:a9fe::",
            // Not classified
            "64:ff9b:1::8.8.8.8",
            "64:ff9b:2::8.8.8.8",
            "::8.8.8.8",
            "::ffff:0:8.8.8.8",
            "4000::1",
            "5f00::1",
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
        for url in [
            "http://localhost:3000/",
            "http://app.localhost./",
            "http://127.0.0.1/",
            "http://10.0.0.1/",
            "http://[::1]/",
        ] {
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
