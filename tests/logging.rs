//! The page about log lines and the lines in the code agree.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tracing::{Level, enabled};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

#[test]
fn r46_each_message_is_in_the_page_and_the_page_has_no_other() {
    let page = fs::read_to_string(root().join("docs/logging.md")).unwrap();
    let listed: BTreeSet<String> = page.lines().filter_map(message_of).collect();
    let mut written = BTreeSet::new();
    for crate_folder in ["breakerbox", "breakerbox-core", "breakerbox-tower"] {
        for file in rust_files(&root().join("crates").join(crate_folder).join("src")) {
            if file.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            let code = fs::read_to_string(&file).unwrap();
            written.extend(messages_in(&code));
        }
    }
    assert!(written.len() > 20, "{written:?}");
    assert_eq!(written, listed, "the code (left) and docs/logging.md");
}

/// Whoever logs decides level and fields in a file `log.rs`, or there would be two rules.
#[test]
fn r46_lines_are_written_where_they_are_decided() {
    let source = root().join("crates/breakerbox/src");
    for file in rust_files(&source) {
        let code = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let may = matches!(name, "log.rs" | "leftovers.rs" | "guarded.rs");
        assert!(
            may || messages_in(&code).is_empty(),
            "{} writes to the log",
            file.display()
        );
    }
}

/// The filters of the page let through what the page says.
#[test]
fn r46_the_filters_of_the_page_work() {
    let page = fs::read_to_string(root().join("docs/logging.md")).unwrap();
    // By filter: an opening, a restart, a child that stops as it should, another crate's.
    let shown = [
        ("warn", [true, false, false, false]),
        ("info,breakerbox=warn", [true, false, false, true]),
        ("warn,breakerbox=info", [true, true, false, false]),
        (
            "error,breakerbox::supervisor=debug",
            [false, true, true, false],
        ),
        (
            "warn,breakerbox::breaker=error",
            [false, false, false, false],
        ),
    ];
    for (filter, expected) in shown {
        assert!(page.contains(&format!("| `{filter}` |")), "{filter}");
        let filter: EnvFilter = filter.parse().unwrap();
        let subscriber = tracing_subscriber::registry().with(filter);
        let found = tracing::subscriber::with_default(subscriber, || {
            [
                enabled!(target: "breakerbox::breaker", Level::WARN),
                enabled!(target: "breakerbox::supervisor", Level::INFO),
                enabled!(target: "breakerbox::supervisor", Level::DEBUG),
                enabled!(target: "shop", Level::INFO),
            ]
        });
        assert_eq!(found, expected);
    }
}

/// The message of a row such as "| WARN | `child is stuck` | …".
fn message_of(row: &str) -> Option<String> {
    let mut cells = row.strip_prefix("| ")?.split(" | ");
    let level = cells.next()?.split(", ").next()?;
    let is_line = ["ERROR", "WARN", "INFO", "DEBUG"].contains(&level);
    let message = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
    is_line.then(|| message.to_owned())
}

/// The last text in each call of a macro that writes a line.
fn messages_in(code: &str) -> BTreeSet<String> {
    let names = [
        "event!(", "error!(", "warn!(", "info!(", "debug!(", "trace!(", "line!(",
    ];
    let mut messages = BTreeSet::new();
    for name in names {
        for (at, _) in code.match_indices(name) {
            let call = call_at(&code[at + name.len()..]);
            let texts = call.split('"').skip(1).step_by(2);
            if let Some(message) = texts.last() {
                messages.insert(message.to_owned());
            }
        }
    }
    messages
}

/// Everything up to the parenthesis that closes the call.
fn call_at(rest: &str) -> &str {
    let (mut depth, mut in_text) = (1, false);
    for (at, character) in rest.char_indices() {
        match character {
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &rest[..at];
        }
    }
    rest
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let here = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"));
    here.chain(folders.iter().flat_map(|folder| rust_files(folder)))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}
