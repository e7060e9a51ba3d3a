//! How far custom policies have answered, and who waits for that.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;
use crate::{guarded, lock};

/// The questions that have been answered: all up to a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    answered: u64,
    waiting: BTreeMap<u64, Waker>,
}

impl Answers {
    /// Questions up to this number have been answered.
    pub(super) fn raise(&self, number: u64) {
        let woken = lock::with(&self.inner, |inner| {
            inner.answered = inner.answered.max(number);
            let later = inner.waiting.split_off(&inner.answered.saturating_add(1));
            std::mem::replace(&mut inner.waiting, later)
        });
        woken.into_values().for_each(Waker::wake);
    }

    /// Whether question `number` has been answered.
    pub(super) fn include(&self, number: u64) -> bool {
        lock::with(&self.inner, |inner| inner.answered >= number)
    }

    /// Waits for the answer to question `number`, unless it has been given.
    pub(super) fn of(&self, number: u64) -> Option<Answer> {
        let answers = || self.clone();
        (!self.include(number)).then(|| Answer {
            answers: answers(),
            number,
        })
    }
}

/// Ready when one question has been answered.
#[derive(Debug)]
pub(super) struct Answer {
    answers: Answers,
    number: u64,
}

impl Future for Answer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = guarded::waker(context.waker());
        let (poll, replaced) = lock::with(&self.answers.inner, |inner| {
            if inner.answered >= self.number {
                return (Poll::Ready(()), Some(waker));
            }
            (Poll::Pending, inner.waiting.insert(self.number, waker))
        });
        // A waker is the user's code, which no lock is held for.
        drop(replaced);
        poll
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let waker = lock::with(&self.answers.inner, |inner| {
            inner.waiting.remove(&self.number)
        });
        drop(waker);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    #[test]
    fn who_waits_is_woken_once_its_question_has_been_answered() {
        let answers = Answers::default();
        assert!(answers.of(0).is_none());
        let mut waiting = [1, 2, 3].map(|number| task::spawn(answers.of(number).unwrap()));
        for answer in &mut waiting {
            assert_pending!(answer.poll());
        }
        answers.raise(2);
        let [one, two, three] = &mut waiting;
        assert!(one.is_woken() && two.is_woken() && !three.is_woken());
        assert_ready!(one.poll());
        assert_ready!(two.poll());
        assert_pending!(three.poll());
        answers.raise(1);
        assert!(answers.include(2) && !answers.include(3));
        answers.raise(u64::MAX);
        assert_ready!(three.poll());
    }

    #[test]
    fn who_stops_waiting_leaves_nothing_behind() {
        let answers = Answers::default();
        let mut answer = task::spawn(answers.of(1).unwrap());
        assert_pending!(answer.poll());
        drop(answer);
        assert!(lock::with(&answers.inner, |inner| inner.waiting.is_empty()));
    }
}
