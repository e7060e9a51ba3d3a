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
//! 3. One message leads to a bounded number of commands, and of questions to a custom
//!    policy.

use std::time::Instant;

use breakerbox_core::Override;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::task::AbortHandle;

use super::call_path::{Command, News};
use super::{BreakerMessage, Housed, OwnedPermit};
use crate::event::Event;
use crate::{clock, guarded};

/// The behaviour of a breaker's actor.
#[derive(Debug)]
pub(crate) struct Owner;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Owner {
    type Msg = BreakerMessage;
    type State = OwnerState;
    type Arguments = Housed;

    async fn pre_start(
        &self,
        myself: ActorRef<BreakerMessage>,
        shared: Housed,
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
        // First of all, since a policy of the user's own may fail in a look.
        state.handle_message(message);
        state.look(&myself);
        Ok(())
    }
}

/// What one incarnation of a breaker's owner has.
#[derive(Debug)]
pub(crate) struct OwnerState {
    shared: Housed,
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Timer {
    due: Instant,
    task: AbortHandle,
}

impl OwnerState {
    fn start(shared: Housed, actor: &ActorRef<BreakerMessage>) -> Result<Self, ActorProcessingErr> {
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
            shared,
            timer: None,
        })
    }

    /// Brings the breaker up to date, carries out commands, asks its policy, tells the
    /// news and sets the timer.
    fn look(&mut self, myself: &ActorRef<BreakerMessage>) {
        let path = self.shared.call_path();
        path.begin_look(clock::now());
        for _ in 0..COMMANDS_AT_ONCE {
            let Some((number, command)) = path.next_command() else {
                break;
            };
            self.carry_out(command);
            path.note_carried_out(number);
        }
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

    fn handle_message(&self, mut message: BreakerMessage) {
        match &mut message {
            // Who has stopped waiting must not be given a place.
            BreakerMessage::Acquire(reply) if reply.is_closed() => {}
            BreakerMessage::Acquire(reply) => {
                answer(reply, OwnedPermit::try_acquire_by_message(&self.shared));
            }
            BreakerMessage::Decide => {}
            BreakerMessage::Inspect(reply) => {
                answer(reply, self.shared.snapshot());
            }
            BreakerMessage::Override(word, reply) => {
                self.overrule(word.take());
                answer(reply, ());
            }
            BreakerMessage::Reconfigure(config, reply) => {
                let path = self.shared.call_path();
                answer(reply, path.reconfigure(**config, clock::now()));
            }
            BreakerMessage::Reset(reply) => {
                self.reset();
                answer(reply, ());
            }
            // Recorded when it is dropped, here as in a mailbox that is lost.
            BreakerMessage::Settle(..) => {}
        }
    }

    fn carry_out(&self, command: Command) {
        match command {
            Command::Override(word) => self.overrule(word),
            Command::Reconfigure(config) => {
                let path = self.shared.call_path();
                let refused = path.reconfigure(config, clock::now());
                debug_assert!(refused.is_ok(), "whoever gave it has looked at it");
            }
            Command::Reset => self.reset(),
        }
    }

    fn reset(&self) {
        let now = clock::now();
        let path = self.shared.call_path();
        path.act(now, |ledger| {
            if ledger.has_owner() {
                ledger.circuit_mut().reset(now);
            }
        });
    }

    fn overrule(&self, word: Option<Override>) {
        let now = clock::now();
        self.shared.call_path().act(now, |ledger| {
            if !ledger.has_owner() {
                return;
            }
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
        self.shared.commands().raise(path.carried_out());
        self.shared.tell_news();
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
///
/// A message cannot be taken apart, as it does something when it is dropped.
fn answer<T: Send + 'static>(reply: &mut RpcReplyPort<T>, value: T) {
    let (nobody, _) = ractor::concurrency::oneshot();
    let reply = std::mem::replace(reply, nobody.into());
    guarded::catch(|| drop(reply.send(value)));
}

/// One of each kind: those that were there when the look began. For any that came
/// later the owner has been asked to look again.
const COMMANDS_AT_ONCE: usize = 3;

/// How many questions a custom policy is asked for one message, so that commands
/// come through beside any number of failures.
const QUESTIONS_AT_ONCE: usize = 64;
