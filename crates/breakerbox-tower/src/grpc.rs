//! What gRPC says about the server that was called.

use std::time::Duration;

use breakerbox::Verdict;
use http::HeaderMap;

/// What the trailers of a response say about its server; None if they have no
/// status.
///
/// A response without messages has its trailers among its headers, where this
/// finds them too. Whatever status comes with `grpc-retry-pushback-ms` is
/// pushback, as in gRPC's retry design (A6): a number of milliseconds, or
/// anything else for "not again". `RESOURCE_EXHAUSTED` is pushback without it.
/// Of the rest, what the caller did wrong is no failure of the server.
#[must_use]
pub fn verdict(trailers: &HeaderMap) -> Option<Verdict> {
    let status = trailers.get(STATUS)?;
    // A status that is no number is one of the server's own making.
    let code = status.to_str().ok().and_then(|text| text.parse().ok());
    Some(match (code.unwrap_or(UNKNOWN), pushback(trailers)) {
        (OK, _) => Verdict::Success,
        (_, Some(retry_after)) => Verdict::Pushback { retry_after },
        (RESOURCE_EXHAUSTED, None) => Verdict::Pushback {
            retry_after: Some(Duration::ZERO),
        },
        (CANCELLED | UNIMPLEMENTED, None) => Verdict::Final,
        (UNKNOWN | DEADLINE_EXCEEDED | INTERNAL | UNAVAILABLE | DATA_LOSS, None) => Verdict::Sent,
        (INVALID_ARGUMENT..=UNAUTHENTICATED, None) => Verdict::Success,
        _ => Verdict::Sent,
    })
}

/// Some if there is advice, and within it the time to come back at, if the call
/// may be made again at all.
fn pushback(trailers: &HeaderMap) -> Option<Option<Duration>> {
    let value = trailers.get(PUSHBACK)?;
    let millis = value.to_str().ok().and_then(|text| text.parse().ok());
    Some(millis.map(Duration::from_millis))
}

const PUSHBACK: &str = "grpc-retry-pushback-ms";
const STATUS: &str = "grpc-status";

const OK: u32 = 0;
const CANCELLED: u32 = 1;
const UNKNOWN: u32 = 2;
const INVALID_ARGUMENT: u32 = 3;
const DEADLINE_EXCEEDED: u32 = 4;
const RESOURCE_EXHAUSTED: u32 = 8;
const UNIMPLEMENTED: u32 = 12;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;
const DATA_LOSS: u32 = 15;
const UNAUTHENTICATED: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r54_what_a_status_says_about_its_server() {
        let later = |millis| Verdict::Pushback {
            retry_after: Some(Duration::from_millis(millis)),
        };
        let never = Verdict::Pushback { retry_after: None };
        for (status, advice, expected) in [
            ("0", None, Verdict::Success),
            ("0", Some("5"), Verdict::Success),
            ("1", None, Verdict::Final),
            ("2", None, Verdict::Sent),
            ("3", None, Verdict::Success),
            ("4", None, Verdict::Sent),
            ("5", None, Verdict::Success),
            ("8", None, later(0)),
            ("8", Some("250"), later(250)),
            ("12", None, Verdict::Final),
            ("13", None, Verdict::Sent),
            ("14", None, Verdict::Sent),
            ("14", Some("250"), later(250)),
            ("14", Some("-1"), never),
            ("14", Some("soon"), never),
            ("15", None, Verdict::Sent),
            ("16", None, Verdict::Success),
            ("17", None, Verdict::Sent),
            ("what", None, Verdict::Sent),
        ] {
            let mut trailers = HeaderMap::new();
            trailers.insert(STATUS, status.parse().unwrap());
            if let Some(advice) = advice {
                trailers.insert(PUSHBACK, advice.parse().unwrap());
            }
            let verdict = verdict(&trailers);
            assert_eq!(verdict, Some(expected), "{status} {advice:?}");
        }
        assert_eq!(verdict(&HeaderMap::new()), None);
    }
}
