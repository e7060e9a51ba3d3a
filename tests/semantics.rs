//! The document of promises and the tests that hold them agree.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The tests of each promise, as `R07` to `r07_an_open_…`.
type Tests = BTreeMap<String, BTreeSet<String>>;

#[test]
fn each_promise_lists_exactly_the_tests_that_carry_its_number() {
    let listed = listed_in(&read("docs/semantics.md"));
    let written = written_below(&["crates", "tests"].map(|folder| root().join(folder)));
    for (promise, tests) in &listed {
        assert_eq!(
            Some(tests),
            written.get(promise),
            "{promise} in docs/semantics.md"
        );
    }
    let unheard: Vec<_> = written
        .keys()
        .filter(|promise| !listed.contains_key(*promise))
        .collect();
    assert!(
        unheard.is_empty(),
        "tests of promises that docs/semantics.md does not make: {unheard:?}"
    );
}

#[test]
fn every_promise_has_a_test() {
    let text = read("docs/semantics.md");
    let promises = text.lines().filter_map(promise_of);
    let listed = listed_in(&text);
    let untested: Vec<_> = promises
        .filter(|promise| !listed.contains_key(promise))
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn the_top_level_holds_what_it_should_and_nothing_else() {
    let mut found: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target" && name != "Cargo.lock")
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "Cargo.toml",
            "README.md",
            "crates",
            "docs",
            "examples",
            "tests"
        ]
    );
}

/// The promise that a heading such as `### R07 The state …` makes.
fn promise_of(line: &str) -> Option<String> {
    let number = line.strip_prefix("### R")?.split(' ').next()?;
    number.parse::<u32>().is_ok().then(|| format!("R{number}"))
}

/// Each promise's tests are the code words of list items below its heading.
fn listed_in(text: &str) -> Tests {
    let mut tests = Tests::new();
    let mut promise = None;
    for line in text.lines() {
        if line.starts_with('#') {
            promise = promise_of(line);
        }
        let name = line
            .strip_prefix("- `")
            .and_then(|rest| rest.strip_suffix('`'));
        if let (Some(promise), Some(name)) = (&promise, name) {
            tests
                .entry(promise.clone())
                .or_default()
                .insert(name.to_owned());
        }
    }
    tests
}

fn written_below(folders: &[PathBuf]) -> Tests {
    let mut tests = Tests::new();
    for file in folders.iter().flat_map(|folder| rust_files(folder)) {
        for line in fs::read_to_string(file).unwrap().lines() {
            let Some(name) = test_name(line) else {
                continue;
            };
            let promise = name[..3].to_uppercase();
            tests.entry(promise).or_default().insert(name.to_owned());
        }
    }
    tests
}

/// The name of a function that is called after a promise: `r07_…`.
fn test_name(line: &str) -> Option<&str> {
    let rest = line
        .trim_start()
        .trim_start_matches("async ")
        .strip_prefix("fn ")?;
    let name = &rest[..rest.find('(')?];
    let (number, _) = name.strip_prefix('r')?.split_once('_')?;
    (number.len() == 2 && number.parse::<u32>().is_ok()).then_some(name)
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

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}
