//! Names and paths of children, such as "orders/consumer".
//!
//! A name may be any text. In a path, and wherever a name is drawn or logged, what
//! would split the path or break the line is escaped as in a URL: the name "a/b" is
//! written "a%2Fb".

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

/// Returns a name as it stands in a path.
///
/// A slash and control characters are escaped, and a percent sign that would read as
/// the start of an escape.
pub(super) fn escape(name: &str) -> Cow<'_, str> {
    if !name.char_indices().any(|at| is_special(name, at)) {
        return Cow::Borrowed(name);
    }
    let mut escaped = String::with_capacity(name.len() + 2);
    for (index, character) in name.char_indices() {
        if is_special(name, (index, character)) {
            push_escaped(&mut escaped, character);
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Returns the name that stands in a path like this.
pub(super) fn unescape(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        match escaped_byte(after) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the path to a child, as its supervisor has it.
pub(super) fn of(name: &Arc<str>) -> Arc<str> {
    match escape(name) {
        Cow::Borrowed(_) => Arc::clone(name),
        Cow::Owned(escaped) => Arc::from(escaped),
    }
}

/// Returns the path to something below children of these names, the lowest one first.
///
/// `below` is a path already.
pub(super) fn through(names: &[&str], below: &str) -> Arc<str> {
    if names.is_empty() {
        return Arc::from(below);
    }
    let mut path = String::new();
    for name in names.iter().rev() {
        path.push_str(&escape(name));
        path.push('/');
    }
    path.push_str(below);
    Arc::from(path)
}

/// Splits a path into its first name and the path below that.
pub(super) fn split_first(path: &str) -> Option<(Cow<'_, str>, &str)> {
    let (first, below) = path.split_once('/')?;
    Some((unescape(first), below))
}

fn is_special(name: &str, (index, character): (usize, char)) -> bool {
    match character {
        '%' => escaped_byte(&name[index + 1..]).is_some(),
        other => other == '/' || other.is_control(),
    }
}

/// The byte that the two characters after a percent sign stand for.
fn escaped_byte(after_percent: &str) -> Option<u8> {
    let digits = after_percent.get(..2)?;
    let are_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    are_hex
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()
}

fn push_escaped(escaped: &mut String, character: char) {
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        let _infallible = write!(escaped, "%{byte:02X}");
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_escaped_only_where_it_must_be_and_comes_back_whole() {
        let cases = [
            ("", ""),
            ("consumer", "consumer"),
            ("orders eu-1:8080 é", "orders eu-1:8080 é"),
            ("a/b", "a%2Fb"),
            ("/", "%2F"),
            ("https://eu.example/v1", "https:%2F%2Feu.example%2Fv1"),
            ("50%", "50%"),
            ("50%off", "50%off"),
            ("a%2Fb", "a%252Fb"),
            ("%%2f", "%%252f"),
            ("two\nlines\t\u{1b}[0m", "two%0Alines%09%1B[0m"),
            ("\u{7f}\u{85}", "%7F%C2%85"),
            ("%é", "%é"),
        ];
        for (name, escaped) in cases {
            assert_eq!(escape(name), escaped, "{name:?}");
            assert_eq!(unescape(escaped), name, "{escaped:?}");
        }
    }

    #[test]
    fn what_is_no_escape_is_read_as_it_stands() {
        for (segment, name) in [("%", "%"), ("%2", "%2"), ("%zz", "%zz"), ("%+1", "%+1")] {
            assert_eq!(unescape(segment), name);
        }
    }
}
