//! How a call finds an endpoint: by what the owner published, and without waiting for
//! it.

use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{EndpointId, Wish};

use super::Shared;
use crate::clock;
use crate::pool::error::Unavailable;
use crate::pool::explain::PickRecord;
use crate::pool::flight::Flight;
use crate::pool::lineup::{Boarded, Lineup};
use crate::pool::search::{Pushback, Search};

impl<T: Clone + Send + Sync + 'static> Shared<T> {
    /// Chooses an endpoint for an attempt, whoever was tried before.
    pub(in crate::pool) fn board(
        &self,
        wish: Wish,
        tried: &[EndpointId],
        now: Instant,
    ) -> Result<(Flight, T), Unavailable> {
        let lineup = self.lineup.load();
        let search = search(wish, tried, now);
        let boarded = lineup
            .board(&search, || self.turn())
            .or_else(|| self.board_in_need(&lineup, &search));
        if let Some(boarded) = boarded {
            return Ok(self.depart(boarded, &search));
        }
        let retry_at = lineup.retry_at(&search);
        // Where nobody says when to come back, an endpoint may have come back since.
        let again = match retry_at {
            Some(_) => None,
            None => lineup.board(&search, || self.turn()),
        };
        let boarded = again.ok_or_else(|| Unavailable {
            pool: Arc::clone(&self.name),
            retry_at,
        })?;
        Ok(self.depart(boarded, &search))
    }

    /// Chooses an endpoint for a first attempt that would not be made otherwise: one
    /// that is only busy, or else the last resort.
    fn board_in_need(&self, lineup: &Lineup<T>, search: &Search<'_>) -> Option<Boarded<T>> {
        if !search.tried.is_empty() {
            return None;
        }
        if lineup.are_only_busy_left(search) {
            let search = Search {
                pushback: Pushback::Overruled,
                ..*search
            };
            return lineup.board(&search, || self.turn());
        }
        let seat = lineup.last_resort(search)?;
        let goes_on = self.judge.admits_last_resort(search.now);
        let boarded = goes_on.then(|| lineup.board_last_resort(seat)).flatten()?;
        self.judge.count_last_resort();
        Some(boarded)
    }

    /// Chooses an endpoint that was not tried, if there is one.
    pub(in crate::pool) fn board_another(
        &self,
        wish: Wish,
        tried: &[EndpointId],
    ) -> Option<(Flight, T)> {
        let search = search(wish, tried, clock::now());
        let lineup = self.lineup.load();
        let boarded = lineup.board_another(&search, &mut || self.turn())?;
        Some(self.depart(boarded, &search))
    }

    /// Whether there is an endpoint that was not tried.
    pub(in crate::pool) fn has_another(&self, wish: Wish, tried: &[EndpointId]) -> bool {
        let lineup = self.lineup.load();
        lineup.has_another(&search(wish, tried, clock::now()), || self.turn())
    }

    fn depart(&self, boarded: Boarded<T>, search: &Search<'_>) -> (Flight, T) {
        self.memory.note(|| PickRecord {
            at: search.now,
            attempt: search.tried.len() + 1,
            endpoint: Arc::clone(&boarded.slot.name),
            instead_of: boarded.instead_of.clone(),
            passed_over: boarded.passed_over,
            tier: boarded.tier,
            why: boarded.why,
        });
        Flight::new(boarded, search.wish.key, search.now)
    }
}

fn search(wish: Wish, tried: &[EndpointId], now: Instant) -> Search<'_> {
    Search {
        moment: now.into(),
        now,
        pushback: Pushback::Obeyed,
        tried,
        wish,
    }
}
