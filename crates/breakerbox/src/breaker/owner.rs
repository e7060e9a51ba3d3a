//! The actor that owns a breaker's state.
//!
//! It takes commands, asks custom policies, tells events, and looks when there is
//! something to do without traffic. Its ledger is under a lock, where callers carry
//! out what it has said in advance, so nothing waits for its turn on the scheduler
//! that need not, and a new incarnation continues exactly where the last one
//! stopped.
//!
//! # Invariants
//!
//! 1. A custom policy is asked while nothing is locked and nothing is half done.
//! 2. What was decided is published before anybody is answered.
//! 3. One message leads to a bounded number of questions to a custom policy.

use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::Override;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::task::AbortHandle;

use super::call_path::News;
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
        let mut state = OwnerState::start(shared, &myself)?;
        state.look(&myself);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<BreakerMessage>,
        message: BreakerMessage,
        state: &mut OwnerState,
    ) -> Result<(), ActorProcessingErr> {
        // Whoever inspects a breaker learns what its policy says. All else is done
        // before a policy of the user's own can fail.
        if matches!(message, BreakerMessage::Inspect(_)) {
            state.look(&myself);
        }
        state.handle_message(message);
        state.look(&myself);
        Ok(())
    }
}

/// What one incarnation of a breaker's owner has.
#[derive(Debug)]
pub(crate) struct OwnerState {
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
    fn start(
        shared: Arc<Shared>,
        actor: &ActorRef<BreakerMessage>,
    ) -> Result<Self, ActorProcessingErr> {
        let Some(incarnation) = shared.start_incarnation(actor.clone()) else {
            return Err(format!("breaker {:?} has lost its owner for good", shared.name()).into());
        };
        if incarnation > 1 {
            shared.tell(|breaker| Event::Restarted {
                breaker,
                incarnation,
            });
        }
        Ok(Self {
            incarnation,
            shared,
            timer: None,
        })
    }

    /// Brings the breaker up to date, asks its policy, tells the news and sets the
    /// timer.
    fn look(&mut self, myself: &ActorRef<BreakerMessage>) {
        let path = self.shared.call_path();
        path.begin_look(clock::now());
        self.conclude();
        for _ in 0..QUESTIONS_AT_ONCE {
            let Some(asked) = path.next_question() else {
                break;
            };
            if asked.ask() {
                path.answer_open(&asked, clock::now());
            }
            self.conclude();
        }
        let (due, questions_are_left) = path.end_look();
        if questions_are_left {
            // An owner that is gone needs no reminder.
            let _gone = myself.cast(BreakerMessage::Decide);
        }
        self.set_timer(due, myself);
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
                answer(reply, self.shared.snapshot(self.incarnation));
            }
            BreakerMessage::Override(word, reply) => {
                self.overrule(word);
                answer(reply, ());
            }
            BreakerMessage::Reconfigure(config, reply) => {
                let path = self.shared.call_path();
                answer(reply, path.reconfigure(*config, clock::now()));
            }
            BreakerMessage::Reset(reply) => {
                let now = clock::now();
                let path = self.shared.call_path();
                path.act(now, |ledger| ledger.circuit_mut().reset(now));
                answer(reply, ());
            }
            BreakerMessage::Settle(permit, outcome) => {
                let _decided_below = permit.settle(outcome);
            }
        }
    }

    fn overrule(&mut self, word: Option<Override>) {
        let now = clock::now();
        self.shared.call_path().act(now, |ledger| {
            match word.clone() {
                Some(word) => ledger.circuit_mut().force(word, now),
                None => ledger.circuit_mut().release(now),
            }
            ledger.add_news(News::Overridden(word));
        });
    }

    /// Answers whoever waits for nothing that is left to ask, and tells the news.
    ///
    /// Beside what was asked just now that is what is void, because an answer or a
    /// command has ended its generation, and what an owner before this one died of.
    fn conclude(&self) {
        let path = self.shared.call_path();
        self.shared.answers().raise(path.asked_questions());
        self.tell_news();
    }

    fn tell_news(&self) {
        while let Some(news) = self.shared.call_path().next_news() {
            match news {
                News::Changed(transition) => self.shared.tell_transition(transition),
                News::Overridden(word) => self
                    .shared
                    .tell(|breaker| Event::Overridden { breaker, word }),
                News::Reconfigured => self.shared.tell(|breaker| Event::Reconfigured { breaker }),
            }
        }
    }

    /// Sees to it that the next deadline is met without traffic.
    fn set_timer(&mut self, due: Option<Instant>, myself: &ActorRef<BreakerMessage>) {
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
    }
}

/// Replies to whoever asked, who may have stopped waiting.
fn answer<T: Send + 'static>(reply: RpcReplyPort<T>, value: T) {
    let _nobody_waits = reply.send(value);
}

/// How many questions a custom policy is asked for one message, so that commands
/// come through beside any number of failures.
const QUESTIONS_AT_ONCE: usize = 64;
