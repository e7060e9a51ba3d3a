mod shortage;

use std::error::Error;
use std::io::{self, ErrorKind};

use breakerbox::{FailureKind, Rejected, Unavailable, Verdict};
use http::Uri;
use hyper_util::client::legacy::{self, connect::HttpConnector};
use tower_service::Service;

use crate::{BrokenBody, IdleTimeout, NotMade};
use shortage::is_shortage;

/// What an error of a client says about the server that was called.
///
/// It looks through the causes of the error. Nothing was sent
/// ([`Verdict::NotSent`]) where a connection or a service could not be made, where
/// hyper gave the request back, where the server refused its stream (RFC 9113,
/// 8.7), and where a breaker further down rejected. An error of the request
/// itself, such as an upload that broke, is [`Verdict::Final`]. An answer whose head is
/// too large for its client is one all the same: [`Verdict::ServerError`], of the kind
/// `head_too_large`. Whatever else it is, the request may have arrived:
/// [`Verdict::Sent`].
///
/// Where this process is out of files, ports or memory, nothing was sent, and no
/// server is to blame: [`Verdict::OutOfResources`]. If that happens to a connection
/// that exists, a part of the request may have left: [`Verdict::Ambiguous`]. A name
/// that cannot be looked up for want of a file does not always say so.
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
    let said = causes(error).find_map(telling);
    let is_short = matches!(said, None | Some(Verdict::NotSent | Verdict::Sent))
        && causes(error).any(is_shortage);
    match said {
        Some(Verdict::Sent) if is_short => Verdict::Ambiguous,
        _ if is_short => Verdict::OutOfResources,
        _ => said.unwrap_or(Verdict::Sent),
    }
}

/// What an error says about a server whose response it has broken.
///
/// A server that breaks off has failed: [`Verdict::Sent`]. But where a stream without a
/// length pauses for longer than an [`IdleTimeoutBody`](crate::IdleTimeoutBody) allows,
/// it may have had nothing to say, and where this process is out of memory, that is no
/// server's doing: [`Verdict::Ambiguous`].
#[must_use]
pub fn body_verdict(error: &(dyn Error + 'static)) -> Verdict {
    let is_pause = |cause: &(dyn Error + 'static)| {
        let timeout = cause.downcast_ref::<IdleTimeout>();
        timeout.is_some_and(|timeout| timeout.missing().is_none())
    };
    match causes(error).any(|cause| is_pause(cause) || is_shortage(cause)) {
        true => Verdict::Ambiguous,
        false => Verdict::Sent,
    }
}

/// An error and all that led to it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| cause(error))
}

/// What led to an error. An [`io::Error`] that was made of another error passes over
/// that one where it is asked for its source, and h2 names none.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let within = error.downcast_ref().and_then(io::Error::get_ref);
    let within = within.map(|error| error as &(dyn Error + 'static));
    let io = error.downcast_ref().and_then(h2::Error::get_io);
    let io = io.map(|error| error as &(dyn Error + 'static));
    within.or(io).or_else(|| error.source())
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
    } else if is_head_too_large(error) {
        Verdict::ServerError(HEAD_TOO_LARGE)
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

/// Whether an answer has begun whose head is too large. hyper tells that apart by a
/// function only where it is a server as well.
fn is_head_too_large(error: &hyper::Error) -> bool {
    error.is_parse() && error.to_string() == "message head is too large"
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
        ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::ConnectionRefused
    )
}

/// The head of the answer has more headers or bytes than its client takes.
const HEAD_TOO_LARGE: FailureKind = FailureKind::named("head_too_large");

#[cfg(test)]
mod tests;
