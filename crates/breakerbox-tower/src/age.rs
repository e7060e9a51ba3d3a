use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock;

/// When a service has been in use for long enough, and whether it is being replaced.
#[derive(Debug)]
pub(crate) struct Age {
    /// None if it has no maximum age, or somebody replaces it now.
    due: Mutex<Option<Instant>>,
    is_limited: bool,
}

impl Age {
    /// That of a service that is made now.
    pub(crate) fn new(max_age: Option<Duration>) -> Self {
        let due = max_age.and_then(|max_age| Instant::now().checked_add(jittered(max_age)));
        Self {
            is_limited: due.is_some(),
            due: Mutex::new(due),
        }
    }

    /// Whether the caller is the one that is to replace the service now.
    ///
    /// It is the only one, until it puts that [off](Self::put_off).
    pub(crate) fn is_mine_to_replace(&self) -> bool {
        // Who has no limit reads no clock and takes no lock.
        self.is_limited && {
            let now = Instant::now();
            lock::with(&self.due, |due| due.take_if(|due| *due <= now).is_some())
        }
    }

    /// Leaves the service in use, because there is nothing better.
    pub(crate) fn put_off(&self) {
        lock::with(&self.due, |due| *due = Some(Instant::now() + AGAIN_AFTER));
    }
}

/// A span of up to a tenth more or less, so that what began together does not end
/// together.
fn jittered(span: Duration) -> Duration {
    span.mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// How long after one that could not be used another service is tried.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn r64_ages_differ_by_a_tenth_at_most() {
        let spans: Vec<_> = (0..1_000)
            .map(|_| jittered(Duration::from_secs(100)))
            .collect();
        let (least, most) = (spans.iter().min(), spans.iter().max());
        assert!(least.is_some_and(|least| (90..93).contains(&least.as_secs())));
        assert!(most.is_some_and(|most| (107..110).contains(&most.as_secs())));
    }

    #[tokio::test(start_paused = true)]
    async fn r64_one_caller_replaces_a_service_that_is_old() {
        let age = Age::new(Some(Duration::from_secs(100)));
        assert!(!age.is_mine_to_replace());
        tokio::time::advance(Duration::from_secs(110)).await;
        assert!(age.is_mine_to_replace());
        assert!(!age.is_mine_to_replace(), "somebody replaces it already");
        age.put_off();
        assert!(!age.is_mine_to_replace(), "it has just been tried");
        tokio::time::advance(AGAIN_AFTER).await;
        assert!(age.is_mine_to_replace());
    }

    #[tokio::test(start_paused = true)]
    async fn r64_without_a_maximum_age_nothing_is_replaced() {
        for max_age in [None, Some(Duration::MAX)] {
            let age = Age::new(max_age.map(|age: Duration| age / 2));
            tokio::time::advance(Duration::from_secs(1_000_000)).await;
            assert!(!age.is_mine_to_replace());
        }
    }
}
