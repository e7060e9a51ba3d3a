//! The path of a request, as every server understands it.
//!
//! A route is chosen by a path, and then a server reads that path in its own way. If
//! `/public/../admin` went to the servers of `/public`, they would serve `/admin`. So
//! the gateway chooses the route by the path as it is after normalization, and that
//! is also what it sends on, as Envoy does with `normalize_path` and `merge_slashes`,
//! and nginx where `proxy_pass` has a path.
//!
//! - Letters, digits, `-`, `.`, `_` and `~` that are encoded are decoded (RFC 3986,
//!   6.2.2.2), once.
//! - Slashes in a row become one.
//! - The segments `.` and `..` are removed (RFC 3986, 5.2.4).
//!
//! Some paths have no form that all servers read alike. They are refused:
//!
//! - An encoded slash or backslash: one server decodes it before it looks for
//!   segments, the other after. (Envoy's `REJECT_REQUEST`; Apache and Tomcat refuse
//!   them too.)
//! - A backslash, which some servers take for a slash.
//! - `..;x`, `.;x` and `;x` as a segment, be the semicolon encoded or not: some servers
//!   cut off what follows it before they look for dots.
//! - An encoded zero byte, at which a path ends in some servers, and a percent sign
//!   without two hexadecimal digits.

use std::borrow::Cow;

use http::Uri;
use http::uri::PathAndQuery;

/// Normalizes the path of a request; None if servers may differ about it.
pub(crate) fn normalize(uri: &mut Uri) -> Option<()> {
    if let Cow::Owned(path) = normalized(uri.path())? {
        let path = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
        *uri = Uri::from_parts(parts).ok()?;
    }
    Some(())
}

/// Returns whether this is a path as they are when they have been normalized.
pub(crate) fn is_normal(path: &str) -> bool {
    normalized(path).is_some_and(|normalized| normalized == path)
}

fn normalized(path: &str) -> Option<Cow<'_, str>> {
    if path.contains('\\') {
        return None;
    }
    let decoded = decoded(path)?;
    // Most paths have nothing to normalize.
    let odd = ["//", "/.", "/;", "/%3b", "/%3B"];
    if !odd.iter().any(|it| decoded.contains(it)) {
        return Some(decoded);
    }
    let mut segments = Vec::new();
    let mut last = "";
    for segment in decoded.split('/') {
        last = segment;
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ if matches!(name(segment), "" | "." | "..") => return None,
            _ => segments.push(segment),
        }
    }
    let mut path: String = segments.iter().flat_map(|segment| ["/", segment]).collect();
    if matches!(last, "" | "." | "..") {
        path.push('/');
    }
    Some(Cow::Owned(path))
}

/// Decodes what means the same when it is decoded.
fn decoded(path: &str) -> Option<Cow<'_, str>> {
    let mut pieces = path.split('%');
    let first = pieces.next()?;
    if first.len() == path.len() {
        return Some(Cow::Borrowed(path));
    }
    let mut decoded = first.to_owned();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2)?;
        match byte(code)? {
            0 | b'/' | b'\\' => return None,
            plain if plain.is_ascii_alphanumeric() || b"-._~".contains(&plain) => {
                decoded.push(char::from(plain));
            }
            _ => decoded.extend(["%", code]),
        }
        decoded.push_str(rest);
    }
    Some(Cow::Owned(decoded))
}

fn byte(code: &str) -> Option<u8> {
    let is_code = code.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_code.then(|| u8::from_str_radix(code, 16).ok())?
}

/// A segment without its parameters, such as `a` of `a;version=1`. Some servers decode
/// a semicolon before they look for it.
pub(crate) fn name(segment: &str) -> &str {
    if !segment.contains([';', '%']) {
        return segment;
    }
    let semicolons = [";", "%3b", "%3B"].into_iter();
    let end = semicolons.filter_map(|it| segment.find(it)).min();
    &segment[..end.unwrap_or(segment.len())]
}
