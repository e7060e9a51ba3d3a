//! Texts of the user's, which may be of any length and on several lines.

use std::borrow::Cow;

/// Returns as much of the start of a text as fits into so many bytes.
pub(crate) fn start_of(text: &str, bytes: usize) -> &str {
    let mut ends = (0..=text.len().min(bytes)).rev();
    let end = ends.find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// Returns a text without control characters, which would break a line or a table.
pub(crate) fn on_one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    Cow::Owned(line)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_text_on_several_lines_is_put_on_one() {
        let cases = [
            ("", ""),
            ("one é \"line\" \\ 100 %", "one é \"line\" \\ 100 %"),
            ("two\nlines\r\n", "two\\nlines\\r\\n"),
            ("\u{1b}[31mred\u{85}", "\\u{1b}[31mred\\u{85}"),
        ];
        for (text, line) in cases {
            assert_eq!(on_one_line(text), line);
        }
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        let cases = [
            ("", 3, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "abc"),
            ("aéé", 4, "aé"),
            ("é", 1, ""),
        ];
        for (text, bytes, start) in cases {
            assert_eq!(start_of(text, bytes), start, "{text:?} in {bytes}");
        }
    }
}
