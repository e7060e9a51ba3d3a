//! Texts of the user's, which may be of any length.

/// Returns as much of the start of a text as fits into so many bytes.
pub(crate) fn start_of(text: &str, bytes: usize) -> &str {
    let mut ends = (0..=text.len().min(bytes)).rev();
    let end = ends.find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

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
