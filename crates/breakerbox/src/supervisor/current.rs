use std::sync::Mutex;

use crate::lock;

/// The latest incarnation of a child, until the child is killed for good.
///
/// A supervisor that is killed cannot wait for a start that is under way on
/// another thread. So it leaves word here, and what that start brings about is
/// killed by whoever sets it.
pub(super) struct Current<T> {
    latest: Mutex<Latest<T>>,
}

enum Latest<T> {
    Killed(Option<T>),
    Running(Option<T>),
}

impl<T: Clone> Current<T> {
    pub(super) const fn none() -> Self {
        Self {
            latest: Mutex::new(Latest::Running(None)),
        }
    }

    pub(super) fn get(&self) -> Option<T> {
        lock::with(&self.latest, |latest| match latest {
            Latest::Killed(value) | Latest::Running(value) => value.clone(),
        })
    }

    /// Replaces the latest one.
    ///
    /// # Errors
    ///
    /// When the child has been killed, and so must this one be.
    pub(super) fn set(&self, next: T) -> Result<(), Killed> {
        let (former, outcome) = lock::with(&self.latest, |latest| match latest {
            Latest::Killed(value) => (value.replace(next), Err(Killed)),
            Latest::Running(value) => (value.replace(next), Ok(())),
        });
        drop(former);
        outcome
    }

    /// Kills for good; returns what there is to kill.
    pub(super) fn kill(&self) -> Option<T> {
        lock::with(&self.latest, |latest| {
            let value = match latest {
                Latest::Killed(value) | Latest::Running(value) => value.take(),
            };
            *latest = Latest::Killed(value.clone());
            value
        })
    }
}

/// A child was killed before its incarnation was set.
#[derive(Debug)]
pub(super) struct Killed;
