use std::sync::Arc;
use std::time::Instant;

use breakerbox::{
    Event, Events, Generation, PoolEvents, State, SupervisorEvent, SupervisorEvents, Transition,
};
use tokio::sync::watch;

use crate::timeline::Timeline;

/// What has happened so far to breakers and workers.
#[derive(Default)]
pub(crate) struct Journal {
    changes: Vec<(Arc<str>, Transition)>,
    restarts: Vec<Arc<str>>,
}

impl Journal {
    /// Keeps one of these events, tells them to the timeline, and shows the
    /// journal to whoever waits for something to happen, while somebody may.
    pub(crate) fn keep(
        (mut breakers, mut pool, mut workers): (Events, PoolEvents, SupervisorEvents),
        timeline: Timeline,
    ) -> watch::Receiver<Self> {
        let (journal, reader) = watch::channel(Self::default());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    // First: what ends when the shop is closed is no news.
                    biased;
                    () = journal.closed() => break,
                    Some(event) = breakers.next() => {
                        timeline.breaker(&event);
                        journal.send_modify(|journal| journal.note_breaker(event));
                    }
                    Some(event) = pool.next() => timeline.pool(&event),
                    Some(event) = workers.next() => {
                        timeline.worker(&event);
                        journal.send_modify(|journal| journal.note_worker(event));
                    }
                    else => break,
                }
            }
        });
        reader
    }

    fn note_breaker(&mut self, event: Event) {
        if let Event::Changed {
            breaker,
            transition,
            ..
        } = event
        {
            self.changes.push((breaker, transition));
        }
    }

    fn note_worker(&mut self, event: SupervisorEvent) {
        if let SupervisorEvent::Restarted { child, .. } = event {
            self.restarts.push(child);
        }
    }

    /// The first change of a breaker since a time that is `wanted`.
    pub(crate) fn first(
        &self,
        breaker: &str,
        since: Instant,
        wanted: impl Fn(&Transition) -> bool,
    ) -> Option<&Transition> {
        self.of(breaker)
            .find(|change| change.at >= since && wanted(change))
    }

    pub(crate) fn is_closed(&self, breaker: &str) -> bool {
        self.of(breaker)
            .last()
            .is_none_or(|change| change.to == State::Closed)
    }

    /// Whether it has heard of all that led to this generation of a breaker.
    pub(crate) fn knows(&self, breaker: &str, generation: Generation) -> bool {
        let known = self
            .of(breaker)
            .last()
            .map_or(Generation::FIRST, |change| change.generation);
        known >= generation
    }

    /// How often a breaker has opened.
    pub(crate) fn openings(&self, breaker: &str) -> usize {
        self.of(breaker)
            .filter(|change| change.to == State::Open)
            .count()
    }

    /// How often a worker was restarted.
    pub(crate) fn restarts(&self, worker: &str) -> usize {
        self.restarts
            .iter()
            .filter(|restarted| ***restarted == *worker)
            .count()
    }

    fn of(&self, breaker: &str) -> impl Iterator<Item = &Transition> {
        self.changes
            .iter()
            .filter(move |(of, _)| **of == *breaker)
            .map(|(_, change)| change)
    }
}
