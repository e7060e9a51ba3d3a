//! The actor that owns a breaker's state.
//!
//! Whatever it does, it begins by catching up: it reads the reports in the order
//! they were made, each as of its own time, then looks at the clock. So a report
//! made before a deadline counts before it, even where the timer was faster, and
//! a new incarnation continues exactly where the last one stopped.
//!
//! # Invariants
//!
//! 1. One owner at a time has the circuit in its hands; when its state is
//!    dropped, by whatever end, the circuit is put down whole.
//! 2. What was decided is published before anybody is answered.

use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{BreakerConfig, Circuit, ConfigError, Override};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::AbortHandle;

use super::ledger::Ledger;
use super::{BreakerMessage, OwnedPermit, Shared};
use crate::{clock, event::Event};

/// The behaviour of a breaker's actor.
#[derive(Debug)]
pub(crate) struct Owner;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Owner {
    type Msg = BreakerMessage;
    type State = OwnerState;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        myself: ActorRef<BreakerMessage>,
        shared: Arc<Shared>,
    ) -> Result<OwnerState, ActorProcessingErr> {
        let mut state = OwnerState::take_up(shared, &myself)?;
        state.catch_up();
        state.set_timer(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<BreakerMessage>,
        message: BreakerMessage,
        state: &mut OwnerState,
    ) -> Result<(), ActorProcessingErr> {
        state.catch_up();
        state.handle_message(message);
        state.set_timer(&myself);
        Ok(())
    }
}

/// A breaker's ledger in the hands of its owner.
#[derive(Debug)]
pub(crate) struct OwnerState {
    /// None only while it is being put down.
    ledger: Option<Box<Ledger>>,
    incarnation: u64,
    shared: Arc<Shared>,
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Timer {
    due: Instant,
    task: AbortHandle,
}

impl OwnerState {
    fn take_up(
        shared: Arc<Shared>,
        actor: &ActorRef<BreakerMessage>,
    ) -> Result<Self, ActorProcessingErr> {
        let Some((ledger, incarnation)) = shared.take_up(actor.clone()) else {
            return Err(format!(
                "breaker {:?} has an owner, or has lost it for good",
                shared.name()
            )
            .into());
        };
        if incarnation > 1 {
            shared.tell(|breaker| Event::Restarted {
                breaker,
                incarnation,
            });
        }
        Ok(Self {
            ledger: Some(ledger),
            incarnation,
            shared,
            timer: None,
        })
    }

    /// Deals with all that was reported and all that is due.
    fn catch_up(&mut self) {
        self.shared.reports().begin();
        self.settle_up();
        self.shared.reports().answer();
    }

    fn handle_message(&mut self, message: BreakerMessage) {
        match message {
            // Who has stopped waiting must not be given a place.
            BreakerMessage::Acquire(reply) if reply.is_closed() => {}
            BreakerMessage::Acquire(reply) => {
                answer(reply, OwnedPermit::try_acquire(&self.shared));
            }
            BreakerMessage::Decide => {}
            BreakerMessage::Inspect(reply) => {
                let circuit = self.ledger.as_ref().expect(IN_HAND).circuit();
                answer(reply, self.shared.snapshot_of(circuit, self.incarnation));
            }
            BreakerMessage::Override(word, reply) => {
                self.overrule(word);
                answer(reply, ());
            }
            BreakerMessage::Reconfigure(config, reply) => {
                answer(reply, self.reconfigure(*config));
            }
            BreakerMessage::Reset(reply) => {
                self.act(|circuit| circuit.reset(clock::now()));
                answer(reply, ());
            }
            BreakerMessage::Settle(permit, outcome) => {
                let _decided_below = permit.settle(outcome);
                self.catch_up();
            }
        }
    }

    fn overrule(&mut self, word: Option<Override>) {
        self.act(|circuit| match word.clone() {
            Some(word) => circuit.force(word, clock::now()),
            None => circuit.release(clock::now()),
        });
        self.shared
            .tell(|breaker| Event::Overridden { breaker, word });
    }

    fn reconfigure(&mut self, config: BreakerConfig) -> Result<(), ConfigError> {
        self.act(|circuit| circuit.reconfigure(config, clock::now()))?;
        self.shared.publish_config(config);
        self.shared.tell(|breaker| Event::Reconfigured { breaker });
        Ok(())
    }

    /// Does something to the circuit and publishes what follows.
    fn act<T>(&mut self, act: impl FnOnce(&mut Circuit) -> T) -> T {
        let ledger = self.ledger.as_mut().expect(IN_HAND);
        let done = ledger.act(self.shared.call_path(), act);
        self.settle_up();
        done
    }

    /// Enters what is new and tells listeners what has changed.
    fn settle_up(&mut self) {
        let ledger = self.ledger.as_mut().expect(IN_HAND);
        let was_overridden = ledger.circuit().overriding().is_some();
        ledger.settle_up(self.shared.reports(), self.shared.call_path(), clock::now());
        while let Some(transition) = ledger.circuit_mut().poll_transition() {
            self.shared.tell_transition(transition);
        }
        if was_overridden && ledger.circuit().overriding().is_none() {
            let word = None;
            self.shared
                .tell(|breaker| Event::Overridden { breaker, word });
        }
    }

    /// Sees to it that the next deadline is met without traffic.
    fn set_timer(&mut self, myself: &ActorRef<BreakerMessage>) {
        let due = self.ledger.as_ref().expect(IN_HAND).next_deadline();
        if self.timer.as_ref().map(|timer| timer.due) == due {
            return;
        }
        self.stop_timer();
        self.timer = due.map(|due| {
            let myself = myself.clone();
            let task = tokio::spawn(async move {
                tokio::time::sleep_until(due.into()).await;
                // An owner that is gone needs no reminder.
                let _gone = myself.cast(BreakerMessage::Decide);
            });
            Timer {
                due,
                task: task.abort_handle(),
            }
        });
    }

    fn stop_timer(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.task.abort();
        }
    }
}

impl Drop for OwnerState {
    fn drop(&mut self) {
        self.stop_timer();
        if let Some(ledger) = self.ledger.take() {
            self.shared.put_down(ledger);
        }
    }
}

/// Replies to whoever asked, who may have stopped waiting.
fn answer<T: Send + 'static>(reply: ractor::RpcReplyPort<T>, value: T) {
    let _nobody_waits = reply.send(value);
}

const IN_HAND: &str = "an owner has the ledger in its hands until it is dropped";
