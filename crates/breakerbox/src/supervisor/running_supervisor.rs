use std::sync::{Arc, OnceLock, Weak};

use breakerbox_core::Phase;
use ractor::ActorRef;
use tokio::sync::oneshot;

use super::message::SupervisorMessage;
use super::published::Published;
use super::shutdown::KILL_TIMEOUT;
use super::{End, Report};

/// One incarnation of a supervisor: its actor, and what that publishes.
///
/// A root has only one. It exists before its actor does, so that whoever starts it can
/// hand it out.
pub(super) struct RunningSupervisor {
    /// Where it is a child, and under which name.
    above: Option<(Weak<Self>, Arc<str>)>,
    actor: OnceLock<ActorRef<SupervisorMessage>>,
    /// What the handles on a root hold.
    keeper: OnceLock<Weak<StopOnDrop>>,
    published: Arc<Published>,
}

impl RunningSupervisor {
    /// That of a supervisor that no other one has as its child.
    pub(super) const fn root(published: Arc<Published>) -> Self {
        Self {
            above: None,
            actor: OnceLock::new(),
            keeper: OnceLock::new(),
            published,
        }
    }

    /// That of the child of this name of a supervisor.
    pub(super) fn below(published: Arc<Published>, above: &Arc<Self>, child: Arc<str>) -> Self {
        Self {
            above: Some((Arc::downgrade(above), child)),
            ..Self::root(published)
        }
    }

    pub(super) const fn published(&self) -> &Arc<Published> {
        &self.published
    }

    /// Returns whether no other supervisor has it as its child, or had it.
    pub(super) const fn is_root(&self) -> bool {
        self.above.is_none()
    }

    /// The supervisor above, if there is one still, and the name that this one has there.
    pub(super) fn above(&self) -> Option<(Arc<Self>, Arc<str>)> {
        let (above, child) = self.above.as_ref()?;
        Some((above.upgrade()?, Arc::clone(child)))
    }

    /// Its actor, as only other ractor code finds it.
    #[cfg(test)]
    pub(super) fn actor(&self) -> ActorRef<SupervisorMessage> {
        self.actor.get().cloned().unwrap()
    }

    /// Sets its actor, once that has been spawned.
    pub(super) fn set_actor(&self, actor: &ActorRef<SupervisorMessage>) {
        // Whoever spawns it and the actor itself both do, as either may come first.
        let _is_set = self.actor.set(actor.clone());
    }

    /// Returns what keeps it running until it is dropped.
    pub(super) fn keep(self: &Arc<Self>) -> Arc<StopOnDrop> {
        let keeper = Arc::new(StopOnDrop {
            running: Arc::clone(self),
        });
        let _is_first = self.keeper.set(Arc::downgrade(&keeper));
        keeper
    }

    /// Returns what keeps it running, unless the last handle has been dropped.
    pub(super) fn keeper(&self) -> Option<Arc<StopOnDrop>> {
        self.keeper.get()?.upgrade()
    }

    /// Returns whether nothing follows any more.
    pub(super) fn is_over(&self) -> bool {
        self.published.phase() == Phase::Down
    }

    /// Publishes that it is about to end, and asks its actor to.
    pub(super) fn stop(&self) {
        self.published.enter(Phase::Stopping);
        if let Some(actor) = self.actor.get() {
            actor.stop(None);
        }
    }

    /// Kills its actor, for which nobody waits.
    pub(super) fn kill(&self) {
        if let Some(actor) = self.actor.get() {
            actor.kill();
        }
    }

    /// Kills it, and returns when nothing of it is left, or after two seconds.
    pub(super) async fn kill_and_wait(&self) -> Report {
        self.published.enter(Phase::Stopping);
        self.kill();
        let _blocking = tokio::time::timeout(KILL_TIMEOUT, self.ended()).await;
        let killed = || Report::killed(self.published.end().unwrap_or(End::Killed));
        let mut report = self.published.report().unwrap_or_else(killed);
        report.note_stuck(self.published.stuck_after(KILL_TIMEOUT).await);
        report
    }

    /// Stops it, and waits until it has ended.
    pub(super) async fn shutdown(&self) -> Report {
        self.stop();
        self.ended().await
    }

    /// Waits until it has ended, however it does.
    pub(super) async fn ended(&self) -> Report {
        self.has_ended().await;
        let killed = || Report::killed(End::Killed);
        self.published.report().unwrap_or_else(killed)
    }

    /// Waits until it has ended, and makes no report of that.
    pub(super) async fn has_ended(&self) {
        self.published.closed().await;
        if let Some(actor) = self.actor.get() {
            // Without a timeout this cannot fail.
            let _ended = actor.wait(None).await;
        }
    }

    /// Waits until it has ended, and all of its children have: one that is killed
    /// waits for nobody.
    pub(super) async fn gone(&self) {
        self.has_ended().await;
        self.published.gone().await;
    }

    /// Asks its actor for something, and waits for the reply; None if it has ended.
    ///
    /// What is sent as the actor ends may lie in its mailbox for as long as there is a
    /// handle, and the reply with it. So the end is waited for beside.
    pub(super) async fn ask<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<T>) -> SupervisorMessage,
    ) -> Option<T> {
        let (reply, mut answer) = oneshot::channel();
        self.actor.get()?.cast(message(reply)).ok()?;
        tokio::select! {
            biased;
            answer = &mut answer => answer.ok(),
            () = self.published.closed() => answer.try_recv().ok(),
        }
    }
}

/// Stops a root when the last handle on it is dropped.
pub(super) struct StopOnDrop {
    running: Arc<RunningSupervisor>,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.running.stop();
    }
}
