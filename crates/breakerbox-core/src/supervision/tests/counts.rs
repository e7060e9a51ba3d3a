use std::cell::RefCell;
use std::collections::BTreeMap;

/// How often something was met in all histories together.
#[derive(Debug, Default)]
pub(super) struct Counts {
    counts: RefCell<BTreeMap<String, u64>>,
}

impl Counts {
    pub(super) fn note(&self, met: impl Into<String>) {
        *self.counts.borrow_mut().entry(met.into()).or_default() += 1;
    }

    /// Counts what was said of a child, but not of which one.
    pub(super) fn note_words(&self, words: &str) {
        let (first, second) = words.split_once(' ').expect("who does what");
        match first {
            "end" | "start" | "stop" => self.note(first),
            _ => self.note(second),
        }
    }

    /// Fails unless each of these was met.
    pub(super) fn assert_met(&self, all: &[&str]) {
        let counts = self.counts.borrow();
        println!("{counts:#?}");
        let missed: Vec<_> = all.iter().filter(|it| !counts.contains_key(**it)).collect();
        assert!(missed.is_empty(), "{missed:?} of {counts:#?}");
    }
}
