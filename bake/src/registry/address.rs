//! Where an address reaches, so that a registry cannot send us to machines that only we can reach.
//!
//! A registry names other places: the token service, the storage behind a redirect, where an upload
//! goes on. One that is hostile, or was told what to say, could name the metadata service of a
//! cloud or a printer. So what a registry names must not be nearer to us than the registry is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use url::{Host, Url};

/// Who can reach an address, from everybody to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Reach {
    /// Everybody.
    Public,
    /// Machines of the same private network (RFC 1918, 4193, 6598).
    Private,
    /// Machines on the same link (RFC 3927, 4291); clouds have their metadata there.
    Link,
    /// This machine.
    Loopback,
    /// Nobody: unspecified, multicast, reserved.
    Nobody,
}

impl Reach {
    /// Returns whom an address can be reached by.
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, ..] = address.octets();
        match (a, b) {
            (127, _) => Self::Loopback,
            (169, 254) => Self::Link,
            (10, _) | (172, 16..=31) | (192, 168) | (100, 64..=127) => Self::Private,
            (0 | 224.., _) => Self::Nobody,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let segments = address.segments();
        let embedded = |at: usize| {
            let [a, b] = segments[at].to_be_bytes();
            let [c, d] = segments[at + 1].to_be_bytes();
            Self::of_v4(Ipv4Addr::new(a, b, c, d))
        };
        match segments {
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            // ::ffff:0:0/96, ::/96, 64:ff9b::/96 and 2002::/16 hold an IPv4 address.
            [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(6),
            [0x2002, ..] => embedded(1),
            [0xfe80..=0xfebf, ..] => Self::Link,
            [0xfc00..=0xfdff, ..] => Self::Private,
            [0xff00..=0xffff, ..] => Self::Nobody,
            _ => Self::Public,
        }
    }

    /// Returns whether a registry at this reach may send us to `other`.
    ///
    /// It may name its equals and everything more public; one on this machine may name private
    /// networks as well, but only one on a link may name others on a link.
    pub(super) fn may_name(self, other: Self) -> bool {
        match other {
            Self::Public => true,
            Self::Private => matches!(self, Self::Private | Self::Loopback),
            Self::Link | Self::Loopback => self == other,
            Self::Nobody => false,
        }
    }

    /// Finds out where a URL's host is: as public as its most public address. A name that only a
    /// proxy can resolve counts as public.
    pub(super) fn of_url(url: &Url) -> Self {
        if let Some(literal) = literal(url) {
            return Self::of(literal);
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Self::Public;
        };
        let Ok(addresses) = (host, port).to_socket_addrs() else { return Self::Public };
        addresses.map(|address| Self::of(address.ip())).min().unwrap_or(Self::Public)
    }
}

/// Returns the address that a URL has instead of a name. `localhost` is one, whatever resolvers say.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(name) if is_local_name(name) => Some(Ipv4Addr::LOCALHOST.into()),
        Host::Domain(_) => None,
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

/// Returns whether a URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    literal(url).is_some_and(|address| Reach::of(address) == Reach::Loopback)
}

/// Returns whether a URL says "this machine" in one of the usual ways, which are one place. Further
/// addresses of the loopback network are often lent to something else.
pub(super) fn is_localhost(url: &Url) -> bool {
    let usual: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let is_name = url.domain().is_some_and(is_local_name);
    is_name || literal(url).is_some_and(|address| usual.contains(&address))
}

/// Why a place that a registry named is not visited.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{host}` is at {address}, which is nearer to this machine than the registry that named it"
)]
pub(super) struct TooNear {
    host: String,
    address: IpAddr,
}

/// Resolves names and refuses addresses that the registry must not name.
///
/// The check is of the addresses that are then connected to, so that a name which resolves to
/// another address the second time gains nothing.
#[derive(Debug)]
pub(super) struct Guard {
    /// Where the registry is; `None` if the names are the registry's own.
    pub(super) registry: Option<Reach>,
    pub(super) inner: DefaultResolver,
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.inner.resolve(uri, config, timeout)?;
        let Some(registry) = self.registry else { return Ok(addresses) };
        let host = uri.host().unwrap_or_default();
        // The proxy is the user's choice, not the registry's.
        if config.proxy().is_some_and(|proxy| proxy.host() == host) {
            return Ok(addresses);
        }
        for address in &addresses {
            check(registry, host, address.ip())?;
        }
        Ok(addresses)
    }
}

/// Checks the address of a place that a registry named.
pub(super) fn check(registry: Reach, host: &str, address: IpAddr) -> Result<(), ureq::Error> {
    if registry.may_name(Reach::of(address)) {
        return Ok(());
    }
    Err(ureq::Error::Other(Box::new(TooNear { host: host.to_owned(), address })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_reach() {
        let cases = [
            ("8.8.8.8", Reach::Public),
            ("10.1.2.3", Reach::Private),
            ("172.31.0.1", Reach::Private),
            ("172.32.0.1", Reach::Public),
            ("192.168.0.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("169.254.169.254", Reach::Link),
            ("127.8.8.8", Reach::Loopback),
            ("0.0.0.0", Reach::Nobody),
            ("255.255.255.255", Reach::Nobody),
            ("2606:4700::1111", Reach::Public),
            ("::1", Reach::Loopback),
            ("::", Reach::Nobody),
            ("fe80::1", Reach::Link),
            ("fd00::1", Reach::Private),
            ("ff02::1", Reach::Nobody),
            ("::ffff:169.254.169.254", Reach::Link),
            ("64:ff9b::10.0.0.1", Reach::Private),
            ("2002:7f00:0001::", Reach::Loopback),
        ];
        for (address, reach) in cases {
            assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
        }
    }

    #[test]
    fn a_registry_names_nothing_that_is_nearer_than_itself() {
        use Reach::{Link, Loopback, Nobody, Private, Public};
        for registry in [Public, Private, Link, Loopback] {
            assert!(registry.may_name(Public));
            assert!(!registry.may_name(Nobody));
            assert!(registry.may_name(registry));
        }
        assert!(!Public.may_name(Private) && !Public.may_name(Link) && !Public.may_name(Loopback));
        assert!(!Private.may_name(Loopback) && !Private.may_name(Link));
        assert!(Loopback.may_name(Private) && !Loopback.may_name(Link));
    }

    #[test]
    fn localhost_is_this_machine_by_all_its_names() {
        for url in ["http://localhost:5/", "http://A.LocalHost/", "http://[::1]/", "http://127.1/"]
        {
            assert!(is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
        assert!(!is_loopback(&Url::parse("http://localhost.example/").unwrap()));
    }
}
