use super::*;

/// R26: a text that fits is kept whole; of one that does not, the beginning is.
#[test]
fn r26_the_text_of_an_exit_is_cut_at_the_end_of_a_character() {
    let table = [
        (String::new(), String::new()),
        ("x".repeat(1_024), "x".repeat(1_024)),
        (
            "x".repeat(1_025),
            format!("{}… (1 bytes more)", "x".repeat(1_024)),
        ),
        // Its 1,024th byte is the first half of a character.
        (
            format!("x{}", "é".repeat(512)),
            format!("x{}… (2 bytes more)", "é".repeat(511)),
        ),
        (
            "x".repeat(1 << 20),
            format!("{}… (1047552 bytes more)", "x".repeat(1_024)),
        ),
    ];
    for (text, kept) in table {
        let exits = [
            Exit::error(text.clone()),
            Exit::init_failed(text.as_str()),
            Exit::panicked(text.clone()),
        ];
        for exit in exits {
            let (Exit::Error(found) | Exit::InitFailed(found) | Exit::Panicked(found)) = exit
            else {
                unreachable!("each has a text");
            };
            assert_eq!(*found, *kept, "{} bytes", text.len());
        }
    }
}
