use std::error::Error;
use std::io::{self, ErrorKind};

use breakerbox::{Rejected, Unavailable, Verdict};
use hyper_util::client::legacy;

use crate::NotMade;

/// What an error of a client says about the server that was called.
///
/// It looks through the causes of the error: for a connection that was never
/// made, a request that hyper gave up before sending it, a stream that the server
/// refused (RFC 9113, 8.7), a service that could not be made or a breaker further
/// down that rejected, it is [`Verdict::NotSent`]. An error of the request itself, such as an upload that
/// broke, is [`Verdict::Final`]. Whatever else it is, the request may have
/// arrived: [`Verdict::Sent`].
///
/// It knows the errors of hyper and of hyper-util's client, and so those of
/// reqwest and tonic, which are built on them.
#[must_use]
pub fn error_verdict(error: &(dyn Error + 'static)) -> Verdict {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(telling)
        .unwrap_or(Verdict::Sent)
}

/// What this one error says, whatever its causes.
fn telling(error: &(dyn Error + 'static)) -> Option<Verdict> {
    if is_unsent(error) {
        Some(Verdict::NotSent)
    } else if error
        .downcast_ref::<hyper::Error>()
        .is_some_and(hyper::Error::is_user)
    {
        Some(Verdict::Final)
    } else {
        None
    }
}

fn is_unsent(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<legacy::Error>() {
        error.is_connect()
    } else if let Some(error) = error.downcast_ref::<hyper::Error>() {
        error.is_canceled()
    } else if let Some(error) = error.downcast_ref::<h2::Error>() {
        error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM)
    } else if let Some(error) = error.downcast_ref::<io::Error>() {
        is_of_connecting(error.kind())
    } else {
        error.is::<NotMade>() || error.is::<Rejected>() || error.is::<Unavailable>()
    }
}

/// Kinds that can only come while a connection is being made.
const fn is_of_connecting(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::AddrNotAvailable
            | ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r53_only_what_comes_while_connecting_was_surely_not_sent() {
        for (kind, verdict) in [
            (ErrorKind::BrokenPipe, Verdict::Sent),
            (ErrorKind::ConnectionRefused, Verdict::NotSent),
            (ErrorKind::ConnectionReset, Verdict::Sent),
            (ErrorKind::HostUnreachable, Verdict::NotSent),
            (ErrorKind::TimedOut, Verdict::Sent),
            (ErrorKind::UnexpectedEof, Verdict::Sent),
        ] {
            let error = io::Error::from(kind);
            assert_eq!(error_verdict(&error), verdict, "{kind:?}");
            let wrapped = Wrapped(error);
            assert_eq!(error_verdict(&wrapped), verdict, "{kind:?}, wrapped");
        }
    }

    #[derive(Debug)]
    struct Wrapped(io::Error);

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
}
