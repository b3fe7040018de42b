//! Which addresses may be sent to: how far an address reaches, and how far we may.
//!
//! A name is judged by the addresses that it resolves to when it is dialled, never before: between
//! two looks a name can come to mean something else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressScope {
    /// This machine.
    Loopback,
    /// A network of the operator's own.
    Private,
    /// The internet.
    Public,
    /// Nothing that a webhook is ever sent to, and what it is.
    Forbidden(&'static str),
}

const METADATA: AddressScope = AddressScope::Forbidden("an address of cloud metadata");
const LINK_LOCAL: AddressScope =
    AddressScope::Forbidden("a link-local address, where clouds keep their metadata");

impl AddressScope {
    /// How far this address reaches. An IPv6 address that stands for an IPv4 address reaches as far
    /// as that one.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match Self::of_v6(address) {
                Self::Forbidden(what) => Self::Forbidden(what),
                own => embedded(address).map_or(own, Self::of_v4),
            },
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            // Alibaba, Azure and Oracle, outside of the link-local range that others use.
            [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => METADATA,
            [169, 254, ..] => LINK_LOCAL,
            // As a destination it means this machine.
            [127, ..] | [0, 0, 0, 0] => Self::Loopback,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            [224..=239, ..] => Self::Forbidden("a multicast address"),
            [0 | 240..=255, ..] => Self::Forbidden("a reserved address"),
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        match address.segments() {
            // Amazon's services, and Google's metadata.
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

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, translated, NAT64, 6to4,
/// Teredo or ISATAP.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x0064, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..]
        | [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => Some(join(high, low)),
        [0x2001, 0, _, _, _, _, high, low] => Some(join(!high, !low)),
        _ => None,
    }
}

/// How far the operator lets us reach; no scenario widens it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Whether public addresses are sent to.
    pub public: bool,
}

impl EgressPolicy {
    /// Whether the host of a URL may be sent to, as far as that can be said before its name is
    /// resolved.
    pub fn check_url(self, url: &Url) -> Result<(), BlockedAddress> {
        literal(url).map_or(Ok(()), |address| self.check(address))
    }

    /// Whether a URL may lead to somebody else's network: to a public address, or to a name, which
    /// can mean one whenever it is dialled.
    pub fn may_be_public(self, url: &Url) -> bool {
        let is_public = |address| AddressScope::of(address) == AddressScope::Public;
        self.public && literal(url).map_or(url.domain() != Some("localhost"), is_public)
    }

    /// Whether this address may be sent to; if not, what it is.
    pub fn check(self, address: IpAddr) -> Result<(), BlockedAddress> {
        match AddressScope::of(address) {
            AddressScope::Loopback | AddressScope::Private => Ok(()),
            AddressScope::Public if self.public => Ok(()),
            AddressScope::Public => {
                Err(BlockedAddress { address, what: "a public address", flag: true })
            }
            AddressScope::Forbidden(what) => Err(BlockedAddress { address, what, flag: false }),
        }
    }
}

/// The host of a URL, where it is an address.
pub fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// An address that is not sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {what}")]
pub struct BlockedAddress {
    /// The address.
    pub address: IpAddr,
    /// What it is.
    pub what: &'static str,
    /// Whether a flag would allow it.
    pub flag: bool,
}

impl BlockedAddress {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        if self.flag {
            "add `--allow-public` if that machine is yours to send to"
        } else {
            "such addresses are never sent to"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(address: &str) -> AddressScope {
        AddressScope::of(address.parse().unwrap())
    }

    #[test]
    fn the_operators_own_addresses_are_near() {
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
            .for_each(|address| assert_eq!(reach(address), AddressScope::Loopback, "{address}"));
        private
            .iter()
            .for_each(|address| assert_eq!(reach(address), AddressScope::Private, "{address}"));
    }

    #[test]
    fn the_internet_is_public_in_every_spelling() {
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
            assert_eq!(reach(address), AddressScope::Public, "{address}");
        }
    }

    #[test]
    fn metadata_and_what_no_webhook_is_sent_to_stay_out_in_every_spelling() {
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
                matches!(reach(address), AddressScope::Forbidden(_)),
                "{address}: {:?}",
                reach(address)
            );
        }
    }

    #[test]
    fn what_may_be_somebody_elses_is_known_by_its_url() {
        let leaves =
            |public, url: &str| EgressPolicy { public }.may_be_public(&Url::parse(url).unwrap());
        for url in ["http://8.8.8.8/", "https://[2606:4700::1111]/", "https://hooks.example.test/"]
        {
            assert!(leaves(true, url) && !leaves(false, url), "{url}");
        }
        for url in
            ["http://localhost:3000/", "http://127.0.0.1/", "http://10.0.0.1/", "http://[::1]/"]
        {
            assert!(!leaves(true, url), "{url}");
        }
    }

    #[test]
    fn only_the_flag_opens_the_internet_and_nothing_opens_metadata() {
        let (closed, open) = (EgressPolicy::default(), EgressPolicy { public: true });
        let [near, public, never] =
            ["127.0.0.1", "8.8.8.8", "169.254.169.254"].map(|address| address.parse().unwrap());
        assert!(closed.check(near).is_ok() && open.check(near).is_ok());
        assert!(closed.check(public).is_err_and(|forbidden| forbidden.flag));
        assert!(open.check(public).is_ok());
        assert!(open.check(never).is_err_and(|forbidden| !forbidden.flag));
    }
}
