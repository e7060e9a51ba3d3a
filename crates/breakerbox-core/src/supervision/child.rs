use std::cmp::Ordering;
use std::fmt;
use std::time::Instant;

use super::{Exit, work};

/// Which child of one supervision; never used for a second one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ChildId {
    added: u64,
}

impl ChildId {
    pub(super) const FIRST: Self = Self { added: 0 };

    pub(super) const fn new(added: u64) -> Self {
        Self { added }
    }

    #[cfg(test)]
    pub(super) const fn number(self) -> u64 {
        self.added
    }
}

impl Ord for ChildId {
    fn cmp(&self, other: &Self) -> Ordering {
        work::count();
        self.added.cmp(&other.added)
    }
}

impl PartialOrd for ChildId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Which run of a child, from a start to an exit; the first is 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Incarnation {
    number: u64,
}

impl Incarnation {
    /// A child's first incarnation.
    pub const FIRST: Self = Self { number: 1 };

    /// The incarnation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self {
            number: self.number + 1,
        }
    }

    /// Its number, counted from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

/// What a child is doing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Phase {
    /// It was asked to start, or waits for the one before it.
    Starting,
    /// It started and has not ended.
    Up,
    /// It ended and waits for its restart, or for that of its group.
    BackingOff,
    /// It failed too often and waits for the one restart that a pause lets through.
    Paused,
    /// It was asked to stop.
    Stopping,
    /// It was asked to end or to stop, has had its time, and still blocks its thread.
    Stuck,
    /// It ended; nothing but its group or a command starts it again.
    Down,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::BackingOff => "backing off",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Stuck => "stuck",
            Self::Down => "down",
        })
    }
}

/// How a child does, as its supervisor knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChildStatus {
    /// Its current incarnation, or its last one.
    pub incarnation: Incarnation,
    /// How its last incarnation ended, once one has.
    pub last_exit: Option<Exit>,
    /// What it is doing.
    pub phase: Phase,
    /// How often it was started again.
    pub restarts: u64,
    /// When it entered its phase.
    pub since: Instant,
}

impl ChildStatus {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            incarnation: Incarnation::FIRST,
            last_exit: None,
            phase: Phase::Starting,
            restarts: 0,
            since: now,
        }
    }
}
