//! What HTTP says about the server that was called.

use std::time::{Duration, SystemTime};

use breakerbox::{FailureKind, Repeat, Verdict};
use http::header::{HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

/// What the head of a response says about its server.
///
/// - 429 is about who asked, so it is [`Verdict::Final`]: the caller's answer. Where the
///   server limits this process as a whole, use [`limited_verdict`] or
///   [`Limited`](crate::Limited).
/// - 503 with `Retry-After` is pushback: busy, not broken.
/// - 501 and 505 are the server's last word: another one would say the same.
/// - Any other 5xx is a failure of a request that may have been carried out.
/// - Everything else, 404 included, means that the server did its job.
#[must_use]
pub fn verdict(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Verdict {
    verdict_by(status, headers, || now)
}

/// The same, with a clock that is only read where there is a date.
pub(crate) fn verdict_by(
    status: StatusCode,
    headers: &HeaderMap,
    now: impl FnOnce() -> SystemTime,
) -> Verdict {
    match status {
        StatusCode::NOT_IMPLEMENTED
        | StatusCode::HTTP_VERSION_NOT_SUPPORTED
        | StatusCode::TOO_MANY_REQUESTS => Verdict::Final,
        StatusCode::SERVICE_UNAVAILABLE => match retry_after_by(headers, now) {
            None => Verdict::ServerError(kind(status)),
            retry_after => Verdict::Pushback { retry_after },
        },
        status if status.is_server_error() => Verdict::ServerError(kind(status)),
        _ => Verdict::Success,
    }
}

/// What the head of a response says about a server that limits this process as a
/// whole, or the key that a call belongs to, such as an API provider's.
///
/// It is [`verdict`], but that 429 is [`Verdict::Limited`], for as long as
/// `Retry-After` says.
#[must_use]
pub fn limited_verdict(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Verdict {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Verdict::Limited {
            retry_after: retry_after(headers, now).or(Some(Duration::ZERO)),
        },
        _ => verdict(status, headers, now),
    }
}

/// The kind of failure that a status is, under its number.
const fn kind(status: StatusCode) -> FailureKind {
    FailureKind::named(match status.as_u16() {
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        507 => "507",
        508 => "508",
        511 => "511",
        _ => "5xx",
    })
}

/// For how long `Retry-After` asks to be left alone: seconds or a date (RFC 9110,
/// 10.2.3), which counts from `now` and is zero if it is past.
///
/// None without the header, or if it is malformed. More seconds than a
/// [`Duration`] holds are as many as it holds.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    retry_after_by(headers, || now)
}

fn retry_after_by(headers: &HeaderMap, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits are no number only if it is too large.
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now()).unwrap_or_default())
}

/// Whether a request may be sent twice.
///
/// By its method (RFC 9110, 9.2.2), or because it has an `Idempotency-Key`, which
/// makes its server see to that; Go's `net/http` goes by the same. Others only if
/// nothing was sent.
#[must_use]
pub fn repeat(method: &Method, headers: &HeaderMap) -> Repeat {
    let has_key = || KEYS.iter().any(|name| headers.contains_key(name));
    if method.is_idempotent() || has_key() {
        Repeat::Idempotent
    } else {
        Repeat::Unsent
    }
}

/// The answer of a server that cannot serve now: 503, with `Retry-After` in whole
/// seconds, rounded up, if that is known.
#[must_use]
pub fn unavailable<B: Default>(retry_after: Option<Duration>) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    if let Some(wait) = retry_after {
        let rest = u64::from(wait.subsec_nanos() > 0);
        let seconds = HeaderValue::from(wait.as_secs().saturating_add(rest));
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

static KEYS: [HeaderName; 2] = [
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("x-idempotency-key"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r60_what_a_response_says_about_its_server() {
        let advised = |seconds| Verdict::Pushback {
            retry_after: Some(Duration::from_secs(seconds)),
        };
        let error = |kind| Verdict::ServerError(FailureKind::named(kind));
        for status in 100..=599 {
            for advice in [None, Some("7"), Some("soon")] {
                let expected = match (status, advice) {
                    (429 | 501 | 505, _) => Verdict::Final,
                    (500, _) => error("500"),
                    (502, _) => error("502"),
                    (503, Some("7")) => advised(7),
                    (503, _) => error("503"),
                    (504, _) => error("504"),
                    (507, _) => error("507"),
                    (508, _) => error("508"),
                    (511, _) => error("511"),
                    (506.., _) => error("5xx"),
                    _ => Verdict::Success,
                };
                let status = StatusCode::from_u16(status).unwrap();
                let (headers, now) = (headers(advice), SystemTime::now());
                let verdict = verdict(status, &headers, now);
                assert_eq!(verdict, expected, "{status} {advice:?}");
                if status != 429 {
                    assert_eq!(limited_verdict(status, &headers, now), expected);
                }
            }
        }
    }

    #[test]
    fn r60_a_server_that_limits_this_process_says_for_how_long() {
        for (advice, expected) in [(None, 0), (Some("7"), 7), (Some("soon"), 0)] {
            let retry_after = Some(Duration::from_secs(expected));
            let status = StatusCode::TOO_MANY_REQUESTS;
            let verdict = limited_verdict(status, &headers(advice), SystemTime::now());
            assert_eq!(verdict, Verdict::Limited { retry_after }, "{advice:?}");
        }
    }

    #[test]
    fn r54_the_time_to_come_back_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Tue, 24 Nov 2026 08:00:00 GMT").unwrap();
        for (text, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("Tue, 24 Nov 2026 08:00:30 GMT", Some(30)),
            ("Tue, 24 Nov 2026 07:00:00 GMT", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("+5", None),
            ("-1", None),
            ("1.5", None),
            ("5, 5", None),
            ("soon", None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(&headers(Some(text)), now), expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn the_clock_is_read_only_where_there_is_a_date() {
        for (status, advice) in [(200, None), (429, None), (500, None), (503, Some("7"))] {
            let status = StatusCode::from_u16(status).unwrap();
            verdict_by(status, &headers(advice), || panic!("{status} {advice:?}"));
        }
    }

    #[test]
    fn r53_what_may_be_sent_twice() {
        let (none, mut keyed) = (HeaderMap::new(), HeaderMap::new());
        keyed.insert("idempotency-key", HeaderValue::from_static("4711"));
        for (method, expected) in [
            (Method::DELETE, Repeat::Idempotent),
            (Method::GET, Repeat::Idempotent),
            (Method::HEAD, Repeat::Idempotent),
            (Method::PATCH, Repeat::Unsent),
            (Method::POST, Repeat::Unsent),
            (Method::PUT, Repeat::Idempotent),
        ] {
            assert_eq!(repeat(&method, &none), expected, "{method}");
            assert_eq!(repeat(&method, &keyed), Repeat::Idempotent, "{method}");
        }
    }

    #[test]
    fn unavailable_says_when_to_come_back_in_whole_seconds() {
        for (wait, expected) in [
            (None, None),
            (Some(Duration::ZERO), Some("0")),
            (Some(Duration::from_millis(1)), Some("1")),
            (Some(Duration::from_secs(2)), Some("2")),
            (Some(Duration::MAX), Some("18446744073709551615")),
        ] {
            let response = unavailable::<()>(wait);
            assert_eq!(response.status(), 503);
            let advice = response.headers().get(RETRY_AFTER);
            assert_eq!(advice.map(|value| value.to_str().unwrap()), expected);
        }
    }

    fn headers(retry_after: Option<&str>) -> HeaderMap {
        let value = retry_after.map(|text| (RETRY_AFTER, HeaderValue::from_str(text).unwrap()));
        value.into_iter().collect()
    }
}
