//! What is logged on this thread, for tests of the lines.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// The lines of this crate since the test began, up to a level.
pub(super) struct Captured {
    lines: Arc<Mutex<Vec<Line>>>,
    /// Where there is one subscriber alone, tracing asks the thread that comes to a line
    /// first whether anybody reads it, which may be that of a test without one.
    _another: Dispatch,
    _until_the_test_ends: DefaultGuard,
}

impl Captured {
    pub(super) fn up_to(level: Level) -> Self {
        let subscriber = Capture::up_to(level);
        Self {
            lines: Arc::clone(&subscriber.lines),
            _another: Dispatch::new(Capture::up_to(level)),
            _until_the_test_ends: set_default(subscriber),
        }
    }

    pub(super) fn take(&self) -> Vec<Line> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

/// A subscriber that keeps the lines of this crate.
pub(super) struct Capture {
    level: Level,
    pub(super) lines: Arc<Mutex<Vec<Line>>>,
}

impl Capture {
    pub(super) fn up_to(level: Level) -> Self {
        let lines = Arc::default();
        Self { level, lines }
    }
}

/// A line of the log.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) fields: BTreeMap<&'static str, String>,
    pub(super) level: Level,
    pub(super) target: &'static str,
}

impl Line {
    /// A field as text; empty where it is not there.
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    pub(super) fn message(&self) -> &str {
        self.field("message")
    }

    pub(super) fn left_out(&self) -> usize {
        self.field("log.suppressed").parse().unwrap_or(0)
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Capture {
    fn enabled(&self, line: &Metadata<'_>) -> bool {
        line.target().starts_with("breakerbox") && *line.level() <= self.level
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line {
            fields: BTreeMap::new(),
            level: *event.metadata().level(),
            target: event.metadata().target(),
        };
        event.record(&mut line);
        self.lines.lock().unwrap().push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
