use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use futures_util::FutureExt;
use ractor::{Actor, ActorCell, ActorRef, ActorRuntime, SpawnErr};

use super::super::Shutdown;
use super::super::address::Address;
use super::super::notifier::Notifier;
use super::control::{Control, Order, Ordered};
use super::{Alive, Bell, EndOrder, Former, Life, Shell, StartOrder};

/// A shell, as the supervisor holds it.
pub(crate) struct ShellHandle<A: Actor> {
    actor: ActorRef<A::Msg>,
    address: Address,
    bell: Arc<Bell>,
    control: Arc<Control<A>>,
    number: Incarnation,
}

impl<A: Actor> ShellHandle<A> {
    /// Spawns a shell, whose task starts its first incarnation.
    pub(crate) fn spawn(
        first: StartOrder<A>,
        notifier: Notifier,
        bell: Arc<Bell>,
        address: Address,
        stop_timeout: Duration,
    ) -> Result<Self, SpawnErr> {
        let supervisor = notifier.supervisor();
        let number = first.incarnation;
        let control = Arc::new(Control::new(first));
        let alive = Alive {
            control: Arc::clone(&control),
            notifier: notifier.clone(),
            number,
        };
        let shell = Shell {
            address,
            alive: Arc::new(alive),
            bell: Arc::clone(&bell),
            control: Arc::clone(&control),
            life: Mutex::new(Some(Box::new(Life::new(number)))),
            notifier,
            stop_timeout,
        };
        // Unnamed: ractor's names are global to the process.
        let spawned = ActorRuntime::spawn_linked(None, shell, (), supervisor);
        let spawned = spawned.now_or_never();
        let (actor, _task) = spawned.expect("there is nothing to wait for in its pre_start")?;
        Ok(Self {
            actor,
            address,
            bell,
            control,
            number,
        })
    }

    pub(crate) fn cell(&self) -> ActorCell {
        self.actor.get_cell()
    }

    /// The incarnation that it was made for, by which it is known.
    pub(crate) const fn number(&self) -> Incarnation {
        self.number
    }

    /// Whether it can run another incarnation.
    ///
    /// A shell that drains can: it still has messages for it.
    pub(crate) fn is_open(&self) -> bool {
        self.control.is_open()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.control.has_ended()
    }

    /// Waits until nothing of it is left.
    pub(crate) async fn ended(&self) {
        self.control.ended().await;
    }

    /// How it was before this one, now that it has ended.
    pub(crate) fn as_former(&self) -> Former {
        self.control.as_former()
    }

    /// Orders it to run an incarnation.
    pub(crate) fn run(&self, start: StartOrder<A>) -> Ordered {
        self.order(Order::Run(start))
    }

    /// Orders it to give up the start of an incarnation, which then exits like this.
    pub(crate) fn abort(&self, incarnation: Incarnation, exit: Exit) {
        self.order(Order::Abort(incarnation, exit));
    }

    /// Orders it to end its incarnation; shell and mailbox go on, unless they end with it.
    pub(crate) fn end_incarnation(&self, incarnation: Incarnation, shutdown: Shutdown) {
        match self.address {
            Address::Kept => {
                self.order(Order::End(incarnation, EndOrder::of(shutdown)));
            }
            Address::New => self.stop(shutdown),
        }
    }

    /// Tells a shell that waits for an order that none comes soon.
    pub(crate) fn wait(&self) {
        self.order(Order::Wait);
    }

    /// Ends it for good.
    pub(crate) fn stop(&self, shutdown: Shutdown) {
        self.control.close(EndOrder::of(shutdown));
        self.actor.stop(None);
    }

    /// Kills it, where nobody can wait for it.
    pub(crate) fn kill(&self) {
        self.control.close(EndOrder::of(Shutdown::Kill));
        self.actor.kill();
    }

    fn order(&self, order: Order<A>) -> Ordered {
        let ordered = self.control.order(order);
        if ordered == Ordered::InMailbox {
            // One that drains and takes no more events is about to look by itself.
            self.bell.wake(&self.actor);
        }
        ordered
    }
}

impl<A: Actor> Clone for ShellHandle<A> {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            address: self.address,
            bell: Arc::clone(&self.bell),
            control: Arc::clone(&self.control),
            number: self.number,
        }
    }
}
