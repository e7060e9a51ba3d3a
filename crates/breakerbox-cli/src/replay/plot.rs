//! A breaker's state over time, in a few lines of text.
//!
//! How long a log is becomes known at its end, and how often the breaker
//! flapped as well, so neither a scale nor a list of changes can be chosen
//! beforehand. Time is kept in a bounded row of slots: when it is full, slots
//! are put together, by two and by five in turn, so that they keep a length of
//! 1 or 2 times a power of ten. A slot knows how long each state lasted in it,
//! so an opening too short for its column still shows.

use std::io::{self, Write};
use std::time::Duration;

use breakerbox_core::State;

use super::decimal::Seconds;

/// Which states there were, and when.
#[derive(Debug)]
pub(crate) struct Plot {
    origin: Duration,
    /// How long a slot is, in nanoseconds.
    slot: u64,
    slots: Vec<Slot>,
    widenings: usize,
}

impl Plot {
    /// An empty plot that begins at `origin`.
    pub(crate) const fn from(origin: Duration) -> Self {
        Self {
            origin,
            slot: 1,
            slots: Vec::new(),
            widenings: 0,
        }
    }

    /// Notes that `state` lasted from `since` up to `until`, even if for no time.
    pub(crate) fn add(&mut self, state: State, since: Duration, until: Duration) {
        let (since, until) = (self.nanos_at(since), self.nanos_at(until));
        let latest = since.max(until.saturating_sub(1));
        while latest / self.slot >= MOST_SLOTS {
            self.widen();
        }
        for place in since / self.slot..=latest / self.slot {
            let begin = place * self.slot;
            let end = until.min(begin + self.slot);
            self.slot_at(place)
                .add(state, end.saturating_sub(begin.max(since)));
        }
    }

    /// Draws a row for each state, at most `width` characters wide.
    pub(crate) fn draw(&self, out: &mut impl Write, width: usize) -> io::Result<()> {
        let most_columns = width.saturating_sub(MARGIN).max(1);
        let slots_each = self.slots.len().div_ceil(most_columns).max(1);
        let columns: Vec<_> = self.slots.chunks(slots_each).map(Slot::sum).collect();
        for state in ROWS {
            let cells: String = columns.iter().map(|column| column.cell(state)).collect();
            writeln!(out, "{state:>9} |{}", cells.trim_end())?;
        }
        let column = Duration::from_nanos(self.slot * slots_each as u64);
        self.draw_axis(out, columns.len(), column)?;
        writeln!(
            out,
            "           one column is {column:?}: # all of it, + half or more, . less"
        )
    }

    fn draw_axis(&self, out: &mut impl Write, columns: usize, each: Duration) -> io::Result<()> {
        let marks: String = (1..=columns)
            .map(|place| if place % 10 == 0 { '+' } else { '-' })
            .collect();
        writeln!(out, "          +{marks}")?;
        let begin = Seconds(self.origin).to_string();
        let end = Seconds(self.origin + each * u32::try_from(columns).unwrap_or(u32::MAX));
        let room = (columns + 1).saturating_sub(begin.len() + 1);
        writeln!(out, "          {begin} {end:>room$}")
    }

    fn nanos_at(&self, time: Duration) -> u64 {
        u64::try_from(time.saturating_sub(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }

    fn slot_at(&mut self, place: u64) -> &mut Slot {
        let place = usize::try_from(place).expect("a place is less than MOST_SLOTS");
        if self.slots.len() <= place {
            self.slots.resize(place + 1, Slot::default());
        }
        &mut self.slots[place]
    }

    fn widen(&mut self) {
        let (together, length) = [(2, 2), (5, 5)][self.widenings % 2];
        self.widenings += 1;
        self.slot *= length;
        self.slots = self.slots.chunks(together).map(Slot::sum).collect();
    }
}

/// How many nanoseconds each of [`ROWS`] lasted, and None where it was not.
#[derive(Clone, Copy, Debug, Default)]
struct Slot([Option<u64>; ROWS.len()]);

impl Slot {
    fn sum(parts: &[Self]) -> Self {
        Self(std::array::from_fn(|row| {
            parts
                .iter()
                .filter_map(|part| part.0[row])
                .reduce(u64::saturating_add)
        }))
    }

    fn add(&mut self, state: State, lasted: u64) {
        for (total, _) in self.0.iter_mut().zip(ROWS).filter(|(_, row)| *row == state) {
            *total = Some(total.unwrap_or(0) + lasted);
        }
    }

    fn cell(&self, state: State) -> char {
        let place = ROWS.iter().position(|row| *row == state);
        let Some(lasted) = place.and_then(|place| self.0[place]) else {
            return ' ';
        };
        let all: u64 = self.0.iter().flatten().sum();
        if self.0.iter().flatten().count() == 1 {
            '#'
        } else if lasted >= all - lasted && lasted > 0 {
            '+'
        } else {
            '.'
        }
    }
}

/// What stands to the left of a row.
const MARGIN: usize = 11;
const MOST_SLOTS: u64 = 4_000;
const ROWS: [State; 3] = [State::Open, State::HalfOpen, State::Closed];

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(plot: &Plot, width: usize) -> Vec<String> {
        let mut text = Vec::new();
        plot.draw(&mut text, width).unwrap();
        let text = String::from_utf8(text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_state_has_a_row_and_the_axis_its_ends() {
        let tenths = |tenths: u64| Duration::from_millis(100 * tenths);
        let mut plot = Plot::from(tenths(1_000));
        plot.add(State::Closed, tenths(1_000), tenths(1_036));
        plot.add(State::Open, tenths(1_036), tenths(1_080));
        plot.add(State::HalfOpen, tenths(1_080), tenths(1_080));
        plot.add(State::Closed, tenths(1_080), tenths(1_200));
        assert_eq!(
            drawn(&plot, MARGIN + 20),
            [
                "     open |   .####",
                "half_open |        .",
                "   closed |###+    +###########",
                "          +---------+---------+",
                "          100.000s     120.000s",
                "           one column is 1s: # all of it, + half or more, . less",
            ]
        );
    }

    #[test]
    fn a_long_log_keeps_its_shortest_opening_in_bounded_room() {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut plot = Plot::from(Duration::ZERO);
        plot.add(State::Closed, Duration::ZERO, day);
        plot.add(State::Open, day, day + Duration::from_nanos(1));
        plot.add(State::Closed, day + Duration::from_nanos(1), 72_000 * day);
        assert!(plot.slots.len() as u64 <= MOST_SLOTS);
        let rows = drawn(&plot, 72);
        assert_eq!(rows[0], "     open |.");
        assert!(rows.iter().all(|row| row.len() <= 72), "{rows:#?}");
        assert!(rows[2].starts_with("   closed |+####"), "{rows:#?}");
    }

    #[test]
    fn what_lasted_no_time_is_still_drawn() {
        let mut plot = Plot::from(Duration::ZERO);
        plot.add(State::Open, Duration::ZERO, Duration::ZERO);
        assert_eq!(drawn(&plot, 72)[0], "     open |#");
    }
}
