use std::time::{Duration, Instant};

use breakerbox_core::Incarnation;

/// The lines that were logged about one child, which limit how many may follow.
///
/// It is made for the first line, so a child that never fails has none.
///
/// # Invariants
///
/// 1. The exit of an incarnation is told once, whoever sees it first.
/// 2. No span of a second has more than five lines in it.
/// 3. What was left out is counted until a line tells how much it was.
#[derive(Debug, Default)]
pub(crate) struct History {
    exited: Option<Incarnation>,
    /// When the latest lines were written, as a ring.
    lines: [Option<Instant>; LINES],
    left_out: LeftOut,
    oldest: usize,
}

/// What the limit has kept out of the log.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct LeftOut {
    pub(crate) lines: u64,
    /// Those of the lines that were warnings.
    pub(crate) warnings: u64,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Weight {
    Information,
    Warning,
}

impl History {
    /// Returns whether the exit of this incarnation is yet to be told, and notes that
    /// it is being told.
    pub(crate) fn tells_exit_of(&mut self, incarnation: Incarnation) -> bool {
        let is_news = self.exited < Some(incarnation);
        if is_news {
            self.exited = Some(incarnation);
        }
        is_news
    }

    /// Admits a line, and returns what was left out before it; None if the line is to
    /// be left out as well.
    pub(crate) fn admit(&mut self, weight: Weight, now: Instant) -> Option<LeftOut> {
        let oldest = &mut self.lines[self.oldest];
        if oldest.is_some_and(|at| now.saturating_duration_since(at) < SPAN) {
            self.left_out.lines += 1;
            if weight == Weight::Warning {
                self.left_out.warnings += 1;
            }
            return None;
        }
        *oldest = Some(now);
        self.oldest = (self.oldest + 1) % LINES;
        Some(self.take_left_out())
    }

    pub(crate) const fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Returns what was left out, for a line that tells it.
    pub(crate) fn take_left_out(&mut self) -> LeftOut {
        std::mem::take(&mut self.left_out)
    }
}

/// Enough to see a crash loop for what it is, and little enough to read the rest.
const LINES: usize = 5;

const SPAN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r46_no_span_of_a_second_has_more_than_five_lines() {
        let (epoch, mut history) = (crate::clock::now(), History::default());
        let mut written = Vec::new();
        // Bursts on both sides of each full second, where a counter that starts again
        // with the second would let through twice as many.
        for millis in (0..10_000_u64).filter(|millis| (millis + 30) % 1_000 < 60) {
            let at = Duration::from_millis(millis);
            if history.admit(Weight::Warning, epoch + at).is_some() {
                written.push(at);
            }
        }
        assert!(written.len() >= 45, "{written:?}");
        for (first, sixth) in written.iter().zip(&written[5..]) {
            assert!(*sixth - *first >= SPAN, "{first:?} to {sixth:?}");
        }
    }

    #[test]
    fn r46_each_line_that_is_left_out_is_counted_once() {
        let (epoch, mut history) = (crate::clock::now(), History::default());
        for _ in 0..LINES {
            let none = LeftOut::default();
            assert_eq!(history.admit(Weight::Warning, epoch), Some(none));
        }
        assert_eq!(history.admit(Weight::Warning, epoch), None);
        assert_eq!(history.admit(Weight::Information, epoch), None);
        let left_out = LeftOut {
            lines: 2,
            warnings: 1,
        };
        assert_eq!(history.admit(Weight::Warning, epoch + SPAN), Some(left_out));
        assert_eq!(history.take_left_out(), LeftOut::default());
    }

    #[test]
    fn r46_an_exit_is_told_once_also_when_it_is_told_late() {
        let mut history = History::default();
        let (first, second) = (Incarnation::FIRST, Incarnation::FIRST.next());
        let told = [second, second, first].map(|it| history.tells_exit_of(it));
        assert_eq!(told, [true, false, false]);
    }
}
