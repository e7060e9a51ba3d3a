use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::readiness::{Publisher, Stage};
use super::signals::Signals;
use super::{LifecycleEnd, LifecycleReport, LifecycleTree, Signal, log};
use crate::supervisor::Booted;
use crate::{Report, Supervisor, clock};

/// What a lifecycle has before it has a tree.
pub(super) struct Start {
    drain_delay: Duration,
    publisher: Publisher,
    signals: Signals,
}

impl Start {
    /// Listens for signals from now on.
    pub(super) fn listen(
        drain_delay: Duration,
        publisher: Publisher,
        stops: mpsc::UnboundedReceiver<Instant>,
    ) -> io::Result<Self> {
        Ok(Self {
            drain_delay,
            publisher,
            signals: Signals::listen(stops)?,
        })
    }

    pub(super) async fn run(self, tree: LifecycleTree) -> LifecycleReport {
        match tree {
            LifecycleTree::Started(tree) => self.begin(tree, None).complete().await,
            LifecycleTree::Spec(spec) => {
                let name = Arc::clone(spec.name());
                match spec.begin().await {
                    Ok((tree, booted)) => self.begin(tree, Some(booted)).complete().await,
                    Err(error) => LifecycleReport::refused(name, error),
                }
            }
        }
    }

    fn begin(self, tree: Supervisor, booted: Option<Booted>) -> Run {
        self.publisher.follow(&tree);
        Run {
            booted,
            drain_delay: self.drain_delay,
            publisher: self.publisher,
            signals: self.signals,
            tree,
        }
    }
}

/// A lifecycle on its way, from the moment the tree begins to start.
struct Run {
    /// The outcome of the start, if that is the lifecycle's own.
    booted: Option<Booted>,
    drain_delay: Duration,
    publisher: Publisher,
    signals: Signals,
    tree: Supervisor,
}

impl Run {
    async fn complete(mut self) -> LifecycleReport {
        let first = tokio::select! {
            biased;
            first = self.signals.first() => Some(first),
            _report = self.tree.ended() => None,
        };
        let (end, since, tree) = match first {
            None => (self.unasked().await, None, self.tree.ended().await),
            Some((signal, at)) => {
                let (end, tree) = self.end(signal, at).await;
                (end, Some(at), tree)
            }
        };
        let took = since.map(|since| clock::now().saturating_duration_since(since));
        LifecycleReport {
            end,
            name: Arc::from(self.tree.name()),
            took: took.unwrap_or_default(),
            tree,
        }
    }

    /// Returns how it ended where nobody has asked for that.
    async fn unasked(&mut self) -> LifecycleEnd {
        let Some(booted) = self.booted.take() else {
            return LifecycleEnd::TreeEnded;
        };
        match booted.outcome().await {
            Ok(()) => LifecycleEnd::TreeEnded,
            Err(error) => LifecycleEnd::StartFailed(error),
        }
    }

    /// Ends the tree in order, or kills it when there is another signal meanwhile.
    async fn end(&mut self, signal: Signal, at: Instant) -> (LifecycleEnd, Report) {
        let stage = self.publisher.asker().ask();
        // It has not been ready since then.
        let so_far = clock::now().saturating_duration_since(at);
        let delay = self.drain_delay.saturating_sub(so_far);
        let ordered = end_in_order(&self.tree, stage, delay, signal);
        tokio::select! {
            biased;
            tree = ordered => (LifecycleEnd::Asked(signal), tree),
            another = self.signals.another(at) => {
                log::killing(self.tree.name(), another);
                (LifecycleEnd::AskedAgain(another), self.tree.kill().await)
            }
        }
    }
}

async fn end_in_order(tree: &Supervisor, stage: Stage, delay: Duration, signal: Signal) -> Report {
    match stage {
        Stage::Coming => log::calling_off(tree.name(), signal),
        Stage::Ready => {
            log::draining(tree.name(), signal);
            drain(tree, delay).await;
            log::stopping(tree.name());
        }
        Stage::Over => log::ends_already(tree.name(), signal),
    }
    tree.shutdown().await
}

/// Serves on for those who have been told that it is ready, while there is a tree that
/// serves.
async fn drain(tree: &Supervisor, delay: Duration) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = tree.ending() => {}
    }
}
