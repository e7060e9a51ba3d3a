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

use breakerbox_core::Circuit;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::task::AbortHandle;

use super::reports::Report;
use super::{BreakerMessage, OwnedPermit, Shared, Snapshot};
use crate::{clock, event::Event};

/// The behaviour of a breaker's actor.
#[derive(Debug)]
pub(crate) struct Owner;

impl Actor for Owner {
    type Msg = BreakerMessage;
    type State = Custody;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        myself: ActorRef<BreakerMessage>,
        shared: Arc<Shared>,
    ) -> Result<Custody, ActorProcessingErr> {
        let mut custody = Custody::take_up(shared, &myself)?;
        custody.catch_up();
        custody.set_timer(&myself);
        Ok(custody)
    }

    async fn handle(
        &self,
        myself: ActorRef<BreakerMessage>,
        message: BreakerMessage,
        custody: &mut Custody,
    ) -> Result<(), ActorProcessingErr> {
        custody.catch_up();
        custody.obey(message);
        custody.set_timer(&myself);
        Ok(())
    }
}

/// A circuit in the hands of its owner.
#[derive(Debug)]
pub(crate) struct Custody {
    /// None only while it is being put down.
    circuit: Option<Circuit>,
    incarnation: u64,
    shared: Arc<Shared>,
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Timer {
    due: Instant,
    task: AbortHandle,
}

impl Custody {
    fn take_up(
        shared: Arc<Shared>,
        actor: &ActorRef<BreakerMessage>,
    ) -> Result<Self, ActorProcessingErr> {
        let Some((circuit, incarnation)) = shared.take_up(actor.clone()) else {
            return Err(format!("breaker {:?} still has an owner", shared.name()).into());
        };
        if incarnation > 1 {
            shared.tell(|breaker| Event::Restarted {
                breaker,
                incarnation,
            });
        }
        Ok(Self {
            circuit: Some(circuit),
            incarnation,
            shared,
            timer: None,
        })
    }

    /// Deals with all that was reported and all that is due.
    fn catch_up(&mut self) {
        let reports = self.shared.reports();
        reports.begin();
        let circuit = self.circuit.as_mut().expect(IN_HAND);
        while let Some((report, at)) = reports.read() {
            match report {
                Report::Admitted(notice) => circuit.admitted(notice, at),
                Report::Settled(ticket, outcome) => circuit.settle(ticket, outcome, at),
            }
        }
        circuit.handle_deadline(clock::now());
        self.publish();
        self.shared.reports().answer();
    }

    fn obey(&mut self, message: BreakerMessage) {
        let circuit = self.circuit.as_mut().expect(IN_HAND);
        match message {
            BreakerMessage::Acquire(reply) => {
                answer(reply, OwnedPermit::try_acquire(&self.shared));
            }
            BreakerMessage::Decide => {}
            BreakerMessage::Inspect(reply) => {
                answer(
                    reply,
                    Snapshot::new(self.shared.name(), circuit, self.incarnation),
                );
            }
            BreakerMessage::Override(word, reply) => {
                match word.clone() {
                    Some(word) => circuit.force(word, clock::now()),
                    None => circuit.release(clock::now()),
                }
                self.publish();
                self.shared
                    .tell(|breaker| Event::Overridden { breaker, word });
                answer(reply, ());
            }
            BreakerMessage::Reconfigure(config, reply) => {
                let refused = circuit.reconfigure(*config, clock::now());
                if refused.is_ok() {
                    self.shared.publish_config(*config);
                    self.publish();
                    self.shared.tell(|breaker| Event::Reconfigured { breaker });
                }
                answer(reply, refused);
            }
            BreakerMessage::Reset(reply) => {
                circuit.reset(clock::now());
                self.publish();
                answer(reply, ());
            }
            BreakerMessage::Settle(permit, outcome) => {
                let _decided_below = permit.settle(outcome);
                self.catch_up();
            }
        }
    }

    /// Tells callers and listeners what has changed.
    fn publish(&mut self) {
        let circuit = self.circuit.as_mut().expect(IN_HAND);
        self.shared.publish(circuit);
        while let Some(transition) = circuit.poll_transition() {
            self.shared.tell_transition(transition);
        }
    }

    /// Sees to it that the next deadline is met without traffic.
    fn set_timer(&mut self, myself: &ActorRef<BreakerMessage>) {
        let due = self.circuit.as_ref().expect(IN_HAND).next_deadline();
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

impl Drop for Custody {
    fn drop(&mut self) {
        self.stop_timer();
        if let Some(circuit) = self.circuit.take() {
            self.shared.put_down(circuit);
        }
    }
}

/// Replies to whoever asked, who may have stopped waiting.
fn answer<T: Send + 'static>(reply: ractor::RpcReplyPort<T>, value: T) {
    let _nobody_waits = reply.send(value);
}

const IN_HAND: &str = "an owner has the circuit in its hands until it is dropped";
