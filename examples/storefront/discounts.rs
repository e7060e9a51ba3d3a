use std::time::Duration;

use breakerbox::{AskError, Breaker, CallError, Child};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

/// The discount worker as the shop sees it: behind its breaker.
pub(crate) struct Discounts {
    breaker: Breaker,
    worker: Child<Question>,
}

impl Discounts {
    pub(crate) const fn new(breaker: Breaker, worker: Child<Question>) -> Self {
        Self { breaker, worker }
    }

    /// How many percent there are off the price of so many pieces.
    pub(crate) async fn percent(&self, quantity: u64) -> Result<u64, CallError<AskError>> {
        let question = |reply| Question { quantity, reply };
        self.breaker
            .ask(&self.worker.actor(), question, PATIENCE)
            .await
    }
}

/// What the worker is asked.
pub(crate) struct Question {
    quantity: u64,
    reply: RpcReplyPort<u64>,
}

/// An actor that knows the discounts, and has a bug.
pub(crate) struct DiscountWorker;

impl Actor for DiscountWorker {
    type Msg = Question;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Question>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Question>,
        Question { quantity, reply }: Question,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        // The bug: nobody thought of an order of nothing.
        let percent = 10 - 10 / quantity;
        // An error means that the shop no longer waits, which is its business.
        let _unheard = reply.send(percent);
        Ok(())
    }
}

/// A discount is not worth a longer wait.
const PATIENCE: Duration = Duration::from_millis(500);
