use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex};

use tracing::{Level, event};

use crate::lock;
use crate::logging::{self, BREAKER};

/// The breakers and pools that were in use when their box began to end.
///
/// A handle on one of them guards nothing any more, which must not go unseen. But a
/// service that ends in order lets go of its handles as it ends, and has nothing to be
/// warned about: so the box looks once more when it has ended, and writes one line.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    stage: Mutex<Stage>,
}

#[derive(Debug)]
enum Stage {
    Ended,
    Serving(Vec<Leftover>),
}

/// One of them, and how to find out whether anybody still has it.
pub(crate) struct Leftover {
    pub(crate) is_in_use: Box<dyn Fn() -> bool + Send>,
    pub(crate) kind: Kind,
    pub(crate) name: Arc<str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Breaker,
    Pool,
}

impl Leftovers {
    /// Takes one in for the line at the end.
    ///
    /// # Errors
    ///
    /// When the box has ended, so that nobody will look any more.
    pub(crate) fn add(&self, leftover: Leftover) -> Result<(), Leftover> {
        lock::with(&self.stage, |stage| match stage {
            Stage::Ended => Err(leftover),
            Stage::Serving(leftovers) => {
                leftovers.push(leftover);
                Ok(())
            }
        })
    }

    /// Logs those that are in use though their box has ended.
    pub(super) fn log(&self, name: &str) {
        let stage = lock::with(&self.stage, |stage| mem::replace(stage, Stage::Ended));
        let Stage::Serving(mut leftovers) = stage else {
            return;
        };
        leftovers.retain(|leftover| (leftover.is_in_use)());
        if leftovers.is_empty() {
            return;
        }
        let (breakers, pools) = (
            Names::of(&leftovers, Kind::Breaker),
            Names::of(&leftovers, Kind::Pool),
        );
        logging::write(|| {
            event!(
                target: BREAKER,
                Level::WARN,
                supervisor.name = name,
                breaker.count = breakers.count,
                breaker.names = breakers.text,
                pool.count = pools.count,
                pool.names = pools.text,
                "box has ended, and is still in use"
            );
        });
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::Serving(Vec::new())
    }
}

impl fmt::Debug for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leftover")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How many there are, and the names of the first.
struct Names {
    count: usize,
    text: String,
}

impl Names {
    fn of(leftovers: &[Leftover], kind: Kind) -> Self {
        let of_kind = leftovers.iter().filter(|leftover| leftover.kind == kind);
        let mut names: Vec<&str> = of_kind.map(|leftover| &*leftover.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.truncate(MOST_NAMES);
        let text = names.join(", ");
        Self { count, text }
    }
}

/// Enough to know which part of the program it is, in a line that can be read.
const MOST_NAMES: usize = 10;
