use std::error::Error;
use std::io::{self, ErrorKind};

use breakerbox::{Rejected, Unavailable, Verdict};
use http::Uri;
use hyper_util::client::legacy::{self, connect::HttpConnector};
use tower_service::Service;

use crate::{BrokenBody, NotMade};

/// What an error of a client says about the server that was called.
///
/// It looks through the causes of the error. Nothing was sent
/// ([`Verdict::NotSent`]) where a connection or a service could not be made, where
/// hyper gave the request back, where the server refused its stream (RFC 9113,
/// 8.7), and where a breaker further down rejected. An error of the request
/// itself, such as an upload that broke, is [`Verdict::Final`]. Whatever else it
/// is, the request may have arrived: [`Verdict::Sent`].
///
/// It knows the errors of hyper and of hyper-util's client, and so those of
/// reqwest and tonic, which are built on them. One exception is known: a TLS
/// handshake of tonic's that fails is not told apart from a broken connection, and
/// so counts as sent.
///
/// The client must not follow redirects: with reqwest, set
/// `redirect::Policy::none()`. Else a POST that was carried out and answered 303
/// goes on as a GET to where that points, and a connection that cannot be made
/// there looks as if nothing had been sent: the POST would be sent again. Nor may
/// the client itself repeat what may have been sent; its last error says nothing
/// about the tries before.
#[must_use]
pub fn error_verdict(error: &(dyn Error + 'static)) -> Verdict {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(telling)
        .unwrap_or(Verdict::Sent)
}

/// What this one error says, whatever its causes. Those of hyper's and h2's errors
/// must not be asked: on a connection that exists, an unreachable host is an error
/// after the request was sent.
fn telling(error: &(dyn Error + 'static)) -> Option<Verdict> {
    if let Some(error) = error.downcast_ref() {
        Some(of_hyper(error))
    } else if let Some(error) = error.downcast_ref() {
        Some(of_h2(error))
    } else if error.is::<BrokenBody>() {
        Some(Verdict::Sent)
    } else if is_unsent(error) {
        Some(Verdict::NotSent)
    } else {
        None
    }
}

fn of_hyper(error: &hyper::Error) -> Verdict {
    if error.is_canceled() {
        Verdict::NotSent
    } else if is_dispatch_gone(error) {
        Verdict::Sent
    } else if error.is_user() {
        Verdict::Final
    } else {
        let source = error.source().and_then(|source| source.downcast_ref());
        source.map_or(Verdict::Sent, of_h2)
    }
}

/// Whether the task of the connection ended with the request in its hands. hyper
/// calls that an error of the user's, and has no other way to tell it apart.
fn is_dispatch_gone(error: &hyper::Error) -> bool {
    error.is_user() && error.to_string() == "dispatch task is gone"
}

fn of_h2(error: &h2::Error) -> Verdict {
    let is_ours = !error.is_remote() && !error.is_library();
    if error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM) {
        Verdict::NotSent
    } else if error.is_reset() && is_ours {
        // So hyper ends the stream of an upload that broke.
        Verdict::Final
    } else {
        Verdict::Sent
    }
}

fn is_unsent(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<legacy::Error>() {
        error.is_connect()
    } else if let Some(error) = error.downcast_ref::<io::Error>() {
        is_of_connecting(error.kind())
    } else {
        error.is::<ConnectError>()
            || error.is::<NotMade>()
            || error.is::<Rejected>()
            || error.is::<Unavailable>()
    }
}

/// The error of hyper-util's connector, which has no public name. tonic's errors
/// have it among their causes.
type ConnectError = <HttpConnector as Service<Uri>>::Error;

/// Kinds that can only come while a connection is being made. A host or a network
/// can become unreachable later, too.
const fn is_of_connecting(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::AddrNotAvailable | ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests;
