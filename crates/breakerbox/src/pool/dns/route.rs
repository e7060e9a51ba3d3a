use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Whether this host knows a way to an address, as its routing table has it.
///
/// Connecting a UDP socket looks the route up and sends nothing. What is not about
/// routes says nothing, such as a process without a file left: the address stays.
pub(super) fn has_route(address: SocketAddr) -> bool {
    let Ok(socket) = socket_for(address) else {
        return is_family_known(address);
    };
    !socket
        .connect(address)
        .is_err_and(|error| means_no_route(&error))
}

/// Whether the host speaks the family of an address. If it does not, a socket of the
/// other family can be made; if this process is short of something, neither can.
fn is_family_known(address: SocketAddr) -> bool {
    let other: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv6Addr::LOCALHOST, 0).into(),
        SocketAddr::V6(_) => (Ipv4Addr::LOCALHOST, 0).into(),
    };
    socket_for(other).is_err()
}

fn socket_for(address: SocketAddr) -> io::Result<UdpSocket> {
    match address {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    }
}

fn means_no_route(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AddrNotAvailable | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r58_this_host_has_a_route_to_itself() {
        assert!(has_route((Ipv4Addr::LOCALHOST, 9).into()));
    }

    #[test]
    fn r58_only_errors_about_routes_mean_that_there_is_none() {
        for (kind, expected) in [
            (ErrorKind::AddrNotAvailable, true),
            (ErrorKind::HostUnreachable, true),
            (ErrorKind::NetworkUnreachable, true),
            (ErrorKind::InvalidInput, false),
            (ErrorKind::OutOfMemory, false),
            (ErrorKind::PermissionDenied, false),
        ] {
            assert_eq!(means_no_route(&kind.into()), expected, "{kind:?}");
        }
    }
}
