use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderValue};

use crate::headers::FORWARDED_FOR;

/// The other end of a client's connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// The address as the value of a header.
    pub(crate) in_header: HeaderValue,
}

impl Peer {
    pub(crate) fn new(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let in_header = HeaderValue::try_from(address.to_string());
        Self {
            address,
            in_header: in_header.expect("an address is ASCII"),
        }
    }
}

/// Whose a request is that the gateway sends: the address of its client.
///
/// The gateway has added whoever is connected to it to the end of `X-Forwarded-For`.
/// Behind a proxy that is the proxy, which has added its own client before. What
/// stands further left is anybody's to say.
pub(crate) fn client_address(headers: &HeaderMap, behind_proxy: bool) -> Option<IpAddr> {
    let all = headers.get(FORWARDED_FOR)?.to_str().ok()?;
    let mut from_the_end = all.rsplit(',').map(str::trim);
    let connected = from_the_end.next()?;
    let client = match behind_proxy {
        true => from_the_end.next().unwrap_or(connected),
        false => connected,
    };
    let address = client.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(client.parse::<SocketAddr>().ok()?.ip()));
    address.map(network)
}

/// A customer with IPv6 has a network to itself, in which it can be as many as it
/// likes: of 64 bits at home, and of up to 80 otherwise (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
    }
}

const NETWORK: u128 = u128::MAX << 80;
