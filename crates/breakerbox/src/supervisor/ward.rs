use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use breakerbox_core::{ChildId, Exit, Incarnation};
use ractor::{ActorId, ActorRef};
use tokio::sync::{Mutex, MutexGuard, oneshot};

use super::board::Place;
use super::child_spec::ChildSpec;
use super::down_hook::DownHook;
use super::errand::Errand;
use super::kin::AFTER_A_KILL;
use super::life::{Birth, Life};
use super::lifeline::Lifeline;
use super::living::contained;
use super::order::Order;
use super::{AddError, Departure, RemoveError, Shutdown};

/// One child in the care of a supervisor's actor.
pub(super) struct Ward {
    pub(super) down_hook: DownHook,
    /// The last shell of it that ended.
    pub(super) ended_shell: Option<ActorId>,
    /// Who waits for it to come up.
    pub(super) newcomer: Option<oneshot::Sender<Result<(), AddError>>>,
    pub(super) place: Arc<Place>,
    /// Who waits for it to be gone.
    pub(super) removers: Vec<oneshot::Sender<Result<Departure, RemoveError>>>,
    pub(super) shell: Option<ActorId>,
    pub(super) state: Care,
    /// Who was sent last; replacing it calls that off.
    errand: Option<Errand>,
    patience: Duration,
    shutdown: Shutdown,
    start_timeout: Duration,
    turn: Arc<Turn>,
}

/// What is being done about a child.
pub(super) enum Care {
    /// Somebody was sent to stop it.
    Ending,
    /// It is gone, like this.
    Gone(Departure),
    /// It lives, or somebody was sent to start it, or is to be.
    Living,
}

impl Ward {
    pub(super) fn new(spec: ChildSpec, place: Arc<Place>) -> Self {
        Self {
            down_hook: spec.down_hook,
            ended_shell: None,
            errand: None,
            newcomer: None,
            patience: spec.shutdown.patience(),
            place,
            removers: Vec::new(),
            shell: None,
            shutdown: spec.shutdown,
            start_timeout: spec.start_timeout,
            state: Care::Living,
            turn: Arc::default(),
        }
    }

    /// Sends somebody to bring up an incarnation, and calls off whoever was sent.
    pub(super) fn start(&mut self, child: ChildId, incarnation: Incarnation, to: &ActorRef<Order>) {
        let lifeline = Lifeline::new(child, to.clone());
        let birth = Birth {
            incarnation,
            lifeline: lifeline.clone(),
            patience: self.patience,
            within: self.start_timeout,
        };
        let life = Arc::clone(self.place.life());
        let (turn, number) = self.next_turn();
        self.state = Care::Living;
        self.errand = Some(Errand::run(async move {
            let Some(_my_turn) = turn.take(number).await else {
                return;
            };
            if let Err(exit) = begun(life, birth).await {
                lifeline.exited(incarnation, exit);
            }
        }));
    }

    /// Sends somebody to end it, who comes back with an [`Order::Gone`].
    pub(super) fn stop(&mut self, child: ChildId, incarnation: Incarnation, to: &ActorRef<Order>) {
        let to = to.clone();
        let ended = self.end();
        self.state = Care::Ending;
        self.errand = Some(Errand::run(async move {
            let (departure, exit) = ended.await;
            let _gone_too = to.cast(Order::Gone(child, incarnation, departure, exit));
        }));
    }

    /// Ends it, and calls off whoever was sent.
    pub(super) fn end(&mut self) -> impl Future<Output = (Departure, Exit)> + Send + 'static {
        drop(self.errand.take());
        let life = Arc::clone(self.place.life());
        let shutdown = self.shutdown;
        let (turn, number) = self.next_turn();
        async move {
            match tokio::time::timeout(AFTER_A_KILL, turn.take(number)).await {
                Ok(Some(_my_turn)) => life.end(shutdown).await,
                // Called off; whoever was sent later answers.
                Ok(None) => std::future::pending().await,
                Err(_) => (Departure::Stuck, Exit::Killed),
            }
        }
    }

    fn next_turn(&self) -> (Arc<Turn>, u64) {
        (Arc::clone(&self.turn), self.turn.next())
    }

    /// How its present shell ended, if it has.
    pub(super) fn farewell(&self) -> Option<Exit> {
        self.place.life().farewell(self.ended_shell?)
    }

    /// Tells whoever waits for it to come up that it did not.
    pub(super) fn disappoint(&mut self) {
        if let (Some(newcomer), Some(exit)) = (self.newcomer.take(), self.place.status().last_exit)
        {
            let child = self.place.name().to_string();
            let _gave_up_waiting = newcomer.send(Err(AddError::Failed { child, exit }));
        }
    }

    /// Tells those who wait for it to be gone how it went.
    pub(super) fn dismiss(self) {
        let departure = match self.state {
            Care::Gone(departure) => departure,
            // It was down already, or had never begun.
            Care::Ending | Care::Living => Departure::Stopped,
        };
        for remover in self.removers {
            let _gave_up_waiting = remover.send(Ok(departure));
        }
    }

    /// Kills what is left of it, when there is nobody to wait for that.
    ///
    /// ractor kills the shells that are linked to a supervisor's actor, but
    /// spares those that drain.
    pub(super) fn abandon(self) {
        if !matches!(self.state, Care::Gone(_))
            && let Some(shell) = self.place.shell()
        {
            shell.kill();
        }
    }
}

/// Who may bring a child up or end it: one at a time, and the last who was sent.
///
/// Aborting an errand neither waits for it nor stops it where it is being
/// polled, so this is what keeps the lives of a child apart.
#[derive(Default)]
struct Turn {
    held: Mutex<()>,
    last: AtomicU64,
}

impl Turn {
    /// A number for whoever is sent next, which outdates all others.
    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Waits until nothing of the former errands runs; `None` when outdated.
    ///
    /// # Memory ordering
    ///
    /// Who takes the turn after a later errand has had it sees that one's number,
    /// because the lock was passed on in between.
    async fn take(&self, number: u64) -> Option<MutexGuard<'_, ()>> {
        let held = self.held.lock().await;
        (self.last.load(Ordering::Relaxed) == number).then_some(held)
    }
}

/// Brings up an incarnation; what panics on the way is its exit.
async fn begun(life: Arc<dyn Life>, birth: Birth) -> Result<(), Exit> {
    let begun = contained(async move { Ok(life.begin(birth).await) }).await;
    begun.and_then(|begun| begun)
}
