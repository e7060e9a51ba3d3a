use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox::{Endpoint, FailureKind, Verdict};

/// A server that answers as it is told, and counts.
#[derive(Clone)]
pub(crate) struct Upstream {
    inner: Arc<Inner>,
}

struct Inner {
    answer: Mutex<Answer>,
    asked: AtomicU32,
    at_once: AtomicU32,
    delay: Mutex<Duration>,
    most_at_once: AtomicU32,
    name: &'static str,
}

/// How an upstream answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    BadRequest,
    /// Breaks off while its client has a part in it.
    BreaksOff,
    Busy(Duration),
    /// Answers that it failed.
    Errors,
    Fails,
    /// Limits whoever asks.
    Limits(Duration),
    /// Nothing is sent: this process has no file left for a connection.
    OutOfFiles,
    Panics,
    RefusesConnections,
    Works,
}

impl Upstream {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            inner: Arc::new(Inner {
                answer: Mutex::new(Answer::Works),
                asked: AtomicU32::new(0),
                at_once: AtomicU32::new(0),
                delay: Mutex::new(Duration::ZERO),
                most_at_once: AtomicU32::new(0),
                name,
            }),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.inner.name
    }

    pub(crate) fn that(self, answer: Answer) -> Self {
        self.set(answer);
        self
    }

    pub(crate) fn set(&self, answer: Answer) {
        *self.inner.answer.lock().unwrap() = answer;
    }

    pub(crate) fn takes(&self, delay: Duration) {
        *self.inner.delay.lock().unwrap() = delay;
    }

    pub(crate) fn asked(&self) -> u32 {
        self.inner.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn at_once(&self) -> u32 {
        self.inner.at_once.load(Ordering::SeqCst)
    }

    pub(crate) fn most_at_once(&self) -> u32 {
        self.inner.most_at_once.load(Ordering::SeqCst)
    }

    pub(crate) fn endpoint(&self) -> Endpoint<Self> {
        Endpoint::new(self.inner.name, self.clone())
    }

    /// Its name, or its error.
    pub(crate) async fn ask(self) -> Result<&'static str, Answer> {
        self.inner.asked.fetch_add(1, Ordering::SeqCst);
        let _asking = Asking::new(&self.inner);
        let delay = *self.inner.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        let answer = *self.inner.answer.lock().unwrap();
        match answer {
            Answer::Works => Ok(self.inner.name),
            Answer::Panics => panic!("as it was told"),
            other => Err(other),
        }
    }
}

/// A call that this upstream is busy with, until it ends or is cancelled.
struct Asking<'a>(&'a Inner);

impl<'a> Asking<'a> {
    fn new(inner: &'a Inner) -> Self {
        let now = inner.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        inner.most_at_once.fetch_max(now, Ordering::SeqCst);
        Self(inner)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.at_once.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) fn classify<R>(result: &Result<R, Answer>) -> Verdict {
    match result {
        Ok(_) => Verdict::Success,
        Err(Answer::BadRequest) => Verdict::Final,
        Err(Answer::BreaksOff) => Verdict::Ambiguous,
        Err(Answer::Busy(retry_after)) => Verdict::Pushback {
            retry_after: Some(*retry_after),
        },
        Err(Answer::Errors) => Verdict::ServerError(FailureKind::named("500")),
        Err(Answer::Limits(retry_after)) => Verdict::Limited {
            retry_after: Some(*retry_after),
        },
        Err(Answer::OutOfFiles) => Verdict::OutOfResources,
        Err(Answer::RefusesConnections) => Verdict::NotSent,
        Err(_) => Verdict::Sent,
    }
}
