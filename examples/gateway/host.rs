//! The host that a request names.
//!
//! Links, redirects and keys of caches are made of it, so what is not a host never
//! gets as far as a server (RFC 9112, 3.2: such a request is answered 400).

use std::net::Ipv6Addr;

/// Returns whether this is a host with or without a port, and nothing else: RFC
/// 9110, 7.2, with the grammar of RFC 3986, 3.2.2.
///
/// An empty host is refused, as RFC 9110, 4.2.1, wants it for `http`. So is the
/// literal of a future version of IP, of which there is none.
pub(crate) fn is_valid(host: &[u8]) -> bool {
    let Ok(host) = str::from_utf8(host) else {
        return false;
    };
    match host.strip_prefix('[') {
        Some(literal) => literal
            .split_once(']')
            .is_some_and(|(address, port)| is_port(port) && address.parse::<Ipv6Addr>().is_ok()),
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            is_port(port) && is_name(name)
        }
    }
}

/// Returns whether this is nothing, or a colon and a port, which may be empty.
fn is_port(port: &str) -> bool {
    match port.strip_prefix(':') {
        Some("") => true,
        Some(port) => port.bytes().all(|it| it.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => port.is_empty(),
    }
}

/// Returns whether this is a registered name or an IPv4 address.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        let is_valid = match byte {
            b'%' => [bytes.next(), bytes.next()].iter().all(is_hex_digit),
            _ => is_name_byte(byte),
        };
        if !is_valid {
            return false;
        }
    }
    !name.is_empty()
}

fn is_hex_digit(byte: &Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_hexdigit())
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
}
