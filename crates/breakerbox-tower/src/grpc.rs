//! What gRPC says about the server that was called.

use std::time::Duration;

use breakerbox::{FailureKind, Verdict};
use http::HeaderMap;

/// What the trailers of a response say about its server; None if they have no
/// status.
///
/// A response without messages has its trailers among its headers, where this
/// finds them too. A failure of the server that comes with `grpc-retry-pushback-ms` is
/// pushback, as in gRPC's retry design (A6): a number of milliseconds, or anything
/// else for "not again". `RESOURCE_EXHAUSTED` is about who asked, so it is
/// [`Verdict::Final`]: the caller's answer. Where the server limits this process as a
/// whole, use [`limited_verdict`] or [`Limited`](crate::Limited). Of the rest, what the
/// caller did wrong is no failure of the server.
#[must_use]
pub fn verdict(trailers: &HeaderMap) -> Option<Verdict> {
    let status = trailers.get(STATUS)?;
    // A status that is no number is one of the server's own making.
    let code = status.to_str().ok().and_then(|text| text.parse().ok());
    Some(match code.unwrap_or(UNKNOWN) {
        OK => Verdict::Success,
        CANCELLED | RESOURCE_EXHAUSTED | UNIMPLEMENTED => Verdict::Final,
        UNKNOWN => failed("unknown", trailers),
        DEADLINE_EXCEEDED => failed("deadline exceeded", trailers),
        INTERNAL => failed("internal", trailers),
        UNAVAILABLE => failed("unavailable", trailers),
        DATA_LOSS => failed("data loss", trailers),
        INVALID_ARGUMENT..=UNAUTHENTICATED => Verdict::Success,
        _ => failed("unknown", trailers),
    })
}

/// What the trailers of a response say about a server that limits this process as a
/// whole, or the key that a call belongs to.
///
/// It is [`verdict`], but that `RESOURCE_EXHAUSTED` is [`Verdict::Limited`], for as
/// long as `grpc-retry-pushback-ms` says.
#[must_use]
pub fn limited_verdict(trailers: &HeaderMap) -> Option<Verdict> {
    let code = trailers.get(STATUS)?.to_str().ok()?;
    match code.parse() {
        Ok(RESOURCE_EXHAUSTED) => Some(Verdict::Limited {
            retry_after: pushback(trailers).unwrap_or(Some(Duration::ZERO)),
        }),
        _ => verdict(trailers),
    }
}

/// The server failed, or asks to be left alone.
fn failed(kind: &'static str, trailers: &HeaderMap) -> Verdict {
    match pushback(trailers) {
        Some(retry_after) => Verdict::Pushback { retry_after },
        None => Verdict::ServerError(FailureKind::named(kind)),
    }
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
    fn r60_what_a_status_says_about_its_server() {
        let later = |millis| Verdict::Pushback {
            retry_after: Some(Duration::from_millis(millis)),
        };
        let never = Verdict::Pushback { retry_after: None };
        let error = |kind| Verdict::ServerError(FailureKind::named(kind));
        for (status, alone, in_250_ms, not_again) in [
            ("0", Verdict::Success, Verdict::Success, Verdict::Success),
            ("1", Verdict::Final, Verdict::Final, Verdict::Final),
            ("2", error("unknown"), later(250), never),
            ("3", Verdict::Success, Verdict::Success, Verdict::Success),
            ("4", error("deadline exceeded"), later(250), never),
            ("5", Verdict::Success, Verdict::Success, Verdict::Success),
            ("6", Verdict::Success, Verdict::Success, Verdict::Success),
            ("7", Verdict::Success, Verdict::Success, Verdict::Success),
            ("8", Verdict::Final, Verdict::Final, Verdict::Final),
            ("9", Verdict::Success, Verdict::Success, Verdict::Success),
            ("10", Verdict::Success, Verdict::Success, Verdict::Success),
            ("11", Verdict::Success, Verdict::Success, Verdict::Success),
            ("12", Verdict::Final, Verdict::Final, Verdict::Final),
            ("13", error("internal"), later(250), never),
            ("14", error("unavailable"), later(250), never),
            ("15", error("data loss"), later(250), never),
            ("16", Verdict::Success, Verdict::Success, Verdict::Success),
            ("17", error("unknown"), later(250), never),
            ("what", error("unknown"), later(250), never),
        ] {
            for (advice, expected) in [
                (None, alone),
                (Some("250"), in_250_ms),
                (Some("-1"), not_again),
                (Some("soon"), not_again),
            ] {
                let trailers = trailers(status, advice);
                assert_eq!(verdict(&trailers), Some(expected), "{status} {advice:?}");
                if status != "8" {
                    assert_eq!(limited_verdict(&trailers), Some(expected));
                }
            }
        }
        assert_eq!(verdict(&HeaderMap::new()), None);
        assert_eq!(limited_verdict(&HeaderMap::new()), None);
    }

    #[test]
    fn r60_a_server_that_limits_this_process_says_for_how_long() {
        let millis = |millis| Some(Duration::from_millis(millis));
        for (advice, retry_after) in [
            (None, millis(0)),
            (Some("250"), millis(250)),
            (Some("-1"), None),
        ] {
            let limited = Some(Verdict::Limited { retry_after });
            assert_eq!(limited_verdict(&trailers("8", advice)), limited);
        }
    }

    fn trailers(status: &str, advice: Option<&str>) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert(STATUS, status.parse().unwrap());
        if let Some(advice) = advice {
            trailers.insert(PUSHBACK, advice.parse().unwrap());
        }
        trailers
    }
}
