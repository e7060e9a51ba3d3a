use std::time::{Duration, Instant};

/// How long the reader of a body has kept its server waiting.
///
/// While the reader has a frame and does not ask for the next one, nothing is taken
/// from the server, which may give up. That time counts up. The time for which the
/// reader waits for the server counts down: a server that has been given as much time
/// as it had lost has no excuse any more.
#[derive(Debug)]
pub(super) struct Lag {
    behind: Duration,
    turn: Turn,
}

/// Who keeps whom waiting, and since when.
#[derive(Debug)]
enum Turn {
    /// The reader has what came, and has not asked for more.
    Reader(Instant),
    /// The reader has asked for more, and nothing has come.
    Server(Instant),
}

impl Lag {
    /// The lag of a body whose head was handed on at `now`.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            behind: Duration::ZERO,
            turn: Turn::Reader(now),
        }
    }

    /// Records that the reader has asked and has to wait; the clock is only read
    /// where it has not been waiting before.
    pub(super) fn record_wait(&mut self, now: impl FnOnce() -> Instant) {
        if let Turn::Reader(since) = self.turn {
            let now = now();
            self.behind += now.saturating_duration_since(since);
            self.turn = Turn::Server(now);
        }
    }

    /// Records that the reader gets a frame, or an error.
    pub(super) fn record_frame(&mut self, now: Instant) {
        self.record_wait(|| now);
        if let Turn::Server(since) = self.turn {
            let waited = now.saturating_duration_since(since);
            self.behind = self.behind.saturating_sub(waited);
        }
        self.turn = Turn::Reader(now);
    }

    /// Returns whether a server may have given up because of it.
    pub(super) fn is_stall(&self) -> bool {
        self.behind >= STALL
    }
}

/// No server gives up sooner: the shortest limits on writing that are in use are
/// seconds. A reader that is only slow now and then, or a busy runtime, stays below.
const STALL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r60_a_reader_stalls_when_it_has_kept_its_server_waiting_for_a_second() {
        for (spans, expected) in [
            ("", false),
            ("reads 999", false),
            ("reads 1000", true),
            ("waits 60000", false),
            // Many small pauses are a slow reader.
            ("reads 400, waits 0, reads 400, waits 0, reads 400", true),
            (
                "reads 400, waits 400, reads 400, waits 400, reads 400",
                false,
            ),
            // Who has waited as long as it had stalled has made up for it.
            ("reads 3000, waits 2000", true),
            ("reads 3000, waits 2001", false),
            // But no more than that is made up for.
            ("waits 60000, reads 1000", true),
            ("reads 1000, waits 60000, reads 1000", true),
        ] {
            assert_eq!(lag_after(spans).is_stall(), expected, "{spans:?}");
        }
    }

    /// What a reader does for so many milliseconds each.
    fn lag_after(spans: &str) -> Lag {
        let mut now = Instant::now();
        let mut lag = Lag::new(now);
        for span in spans.split(", ").filter(|span| !span.is_empty()) {
            let (what, millis) = span.split_once(' ').unwrap();
            if what == "waits" {
                lag.record_wait(|| now);
            }
            now += Duration::from_millis(millis.parse().unwrap());
            lag.record_frame(now);
        }
        lag
    }
}
