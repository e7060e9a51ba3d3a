mod orders;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use breakerbox_core::{Exit, Incarnation};
use futures_util::task::AtomicWaker;
use ractor::Actor;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::runnable::StopResult;
use super::super::scope::Mail;
use super::super::{Departure, catch};
use super::{Former, StartOrder};
use crate::lock;
pub(crate) use orders::{EndOrder, Order, Ordered};
use orders::{Orders, Over, ShellEnd};

/// What the supervisor has ordered of a shell, and what became of the shell.
///
/// An order replaces the one before it, if that was not carried out yet. It is given
/// under a lock and without waiting; the shell's own task carries it out.
pub(crate) struct Control<A: Actor> {
    ended: Notify,
    orders: Mutex<Orders<A>>,
    waker: AtomicWaker,
    word: AtomicU8,
}

/// In [`Control::word`]: a callback runs, which the waker wakes.
const IN_CALLBACK: u8 = 1;
/// In [`Control::word`]: the incarnation's scope has something, and the shell will look.
const MAIL: u8 = 4;
/// In [`Control::word`]: there is an order that no callback has taken.
const NEWS: u8 = 2;

impl<A: Actor> Control<A> {
    /// That of a shell whose first callback is about to run.
    pub(crate) fn new(first: StartOrder<A>) -> Self {
        let end = ShellEnd {
            departure: Departure::Stopped,
            // Unless its `post_stop` runs, and says otherwise.
            exit: Exit::Killed,
        };
        Self {
            ended: Notify::new(),
            orders: Mutex::new(Orders {
                closing: None,
                end,
                has_ended: false,
                is_over: false,
                next: Some(Order::Run(first)),
                overdue: None,
            }),
            waker: AtomicWaker::new(),
            word: AtomicU8::new(IN_CALLBACK | NEWS),
        }
    }

    // The supervisor's side.

    /// Orders it to do that, instead of what it has not begun to do.
    ///
    /// To wait is the answer to an exit. It replaces an order to give up a start, which
    /// that exit has carried out; an incarnation that is to end must not go on.
    pub(crate) fn order(&self, order: Order<A>) -> Ordered {
        let former = lock::with(&self.orders, |orders| {
            if orders.is_over || orders.closing.is_some() {
                orders.bound_by(&order);
                return Err(order);
            }
            match (&orders.next, order) {
                (Some(Order::End(..) | Order::Run(_)), Order::Wait) => Ok(None),
                (_, order) => Ok(orders.replace(order)),
            }
        });
        let is_refused = former.is_err();
        drop(former);
        match self.tell() {
            _ if is_refused => Ordered::Refused,
            ordered => ordered,
        }
    }

    /// Orders it to end for good; whoever gives the order stops the actor as well.
    pub(crate) fn close(&self, end: EndOrder) {
        let superseded = lock::with(&self.orders, |orders| {
            orders.close(end);
            orders.next.take()
        });
        drop(superseded);
        self.tell();
    }

    /// Whether it can run another incarnation.
    pub(crate) fn is_open(&self) -> bool {
        lock::with(&self.orders, |orders| {
            !orders.is_over && orders.closing.is_none()
        })
    }

    /// What it was for the next one, now that it has ended.
    pub(crate) fn as_former(&self) -> Former {
        lock::with(&self.orders, |orders| match orders.end.exit {
            Exit::Killed => Former::Killed,
            _ => Former::Ended,
        })
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock::with(&self.orders, |orders| orders.has_ended)
    }

    /// Waits until nothing of it is left.
    pub(crate) async fn ended(&self) {
        let mut ended = pin!(self.ended.notified());
        ended.as_mut().enable();
        if !self.has_ended() {
            ended.await;
        }
    }

    fn tell(&self) -> Ordered {
        // Release: who sees the news finds the order. Acquire: who is in a callback
        // has left its waker, or will look once more before it leaves.
        if self.word.fetch_or(NEWS, Ordering::AcqRel) & IN_CALLBACK == 0 {
            return Ordered::InMailbox;
        }
        self.waker.wake();
        Ordered::InCallback
    }

    // The shell's side.

    /// Returns whether there is an order, for a callback that enters only if it waits.
    pub(crate) fn has_news(&self) -> bool {
        // Acquire: as for the release in `tell`.
        self.word.load(Ordering::Acquire) & NEWS != 0
    }

    /// A callback begins; returns whether there is an order.
    pub(crate) fn enter(&self) -> bool {
        self.word.fetch_or(IN_CALLBACK, Ordering::AcqRel) & NEWS != 0
    }

    /// A callback is about to return; false, and it goes on, if there is an order.
    pub(crate) fn leave(&self) -> bool {
        // One that never entered: what comes after this look rings the bell.
        if self.word.load(Ordering::Acquire) == 0 {
            return true;
        }
        let left = self
            .word
            .compare_exchange(IN_CALLBACK, 0, Ordering::AcqRel, Ordering::Relaxed);
        left.is_ok() || self.is_closing()
    }

    /// As [`leave`](Self::leave), but with mail, for which the caller has it woken.
    pub(crate) fn leave_with_mail(&self) -> bool {
        let left = self.word.compare_exchange(
            IN_CALLBACK | MAIL,
            MAIL,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        left.is_ok()
    }

    /// Notes that it is about to look for mail; returns whether there may be any.
    pub(crate) fn take_mail(&self) -> bool {
        // Before the look: what comes after it is mail again.
        self.word.fetch_and(!MAIL, Ordering::AcqRel) & MAIL != 0
    }

    /// The order that is next.
    pub(crate) fn take_order(&self) -> Option<Order<A>> {
        // Before the look: what comes after it is news again.
        self.word.fetch_and(!NEWS, Ordering::AcqRel);
        lock::with(&self.orders, |orders| {
            if orders.closing.is_some() {
                // Nobody takes that one: it is news to every callback that follows.
                self.word.fetch_or(NEWS, Ordering::AcqRel);
            }
            orders.overdue = None;
            orders.next.take()
        })
    }

    /// Waits for an order; None when the shell is to end.
    pub(crate) async fn next_order(&self) -> Option<Order<A>> {
        poll_fn(|context| {
            self.waker.register(context.waker());
            if self.is_closing() {
                return Poll::Ready(None);
            }
            self.take_order()
                .map_or(Poll::Pending, |order| Poll::Ready(Some(order)))
        })
        .await
    }

    /// Waits until then, or until it is to end without any more time.
    pub(crate) async fn out_of_time(&self, by: Instant) {
        let mut by = pin!(tokio::time::sleep_until(by));
        poll_fn(|context| {
            self.waker.register(context.waker());
            match self.closing() {
                Some(end) if !end.has_time() => Poll::Ready(()),
                _ => by.as_mut().poll(context),
            }
        })
        .await;
    }

    pub(crate) fn closing(&self) -> Option<EndOrder> {
        lock::with(&self.orders, |orders| orders.closing)
    }

    fn is_closing(&self) -> bool {
        self.closing().is_some()
    }

    /// No other incarnation follows: the shell ends.
    pub(crate) fn set_over(&self) {
        let superseded = lock::with(&self.orders, |orders| {
            orders.is_over = true;
            let next = orders.next.take();
            if let Some(order) = &next {
                orders.bound_by(order);
            }
            next
        });
        drop(superseded);
    }

    pub(crate) fn set_exit(&self, exit: Exit) {
        let former = lock::with(&self.orders, |orders| {
            std::mem::replace(&mut orders.end.exit, exit)
        });
        drop(former);
    }

    /// What it ran had to be killed, or something of it is left.
    pub(crate) fn set_departure(&self, departure: Departure) {
        lock::with(&self.orders, |orders| orders.end.departure = departure);
    }

    /// Nothing of it is left.
    pub(crate) fn set_ended(&self) -> StopResult {
        let (result, untaken) = lock::with(&self.orders, |orders| {
            orders.has_ended = true;
            orders.is_over = true;
            let ShellEnd { departure, exit } = &orders.end;
            let result = StopResult::new(*departure, exit.clone());
            (result, orders.next.take())
        });
        // It may hold the recipe, which handles on the child must not keep.
        catch::drop_of(untaken);
        self.ended.notify_waiters();
        result
    }

    /// Runs a callback of the user's, which ends as soon as an order says.
    ///
    /// Then it has been killed. Orders that do not end it are left for later.
    pub(crate) async fn run(
        &self,
        callback: impl Future<Output = Result<(), Exit>>,
    ) -> Result<(), Exit> {
        let mut callback = pin!(Some(callback));
        let mut over = Over::Unset;
        let mut has_entered = false;
        let run = poll_fn(|context| {
            let polled = match callback.as_mut().as_pin_mut() {
                Some(callback) => callback.poll(context),
                None => Poll::Pending,
            };
            // One that has returned holds nothing of the user's any more.
            if polled.is_ready() {
                return polled;
            }
            if !std::mem::replace(&mut has_entered, true) {
                self.enter();
            }
            if !self.is_over(&mut over, context) {
                return polled;
            }
            // What it holds may panic when it is dropped.
            catch::run_drop(|| callback.set(None));
            Poll::Ready(Err(Exit::Killed))
        });
        run.await
    }

    /// Whether what runs must end now; otherwise this wakes it when it must.
    fn is_over(&self, over: &mut Over, context: &mut Context<'_>) -> bool {
        self.waker.register(context.waker());
        // Acquire: as for the release in `tell`.
        if self.word.load(Ordering::Acquire) & NEWS == 0 {
            return false;
        }
        let end = lock::with(&self.orders, |orders| orders.end_of_callback());
        end.is_some_and(|end| over.is_reached(end, context))
    }

    /// Runs the start of an incarnation; `Err` if it is to be given up.
    pub(crate) async fn run_start<T>(
        &self,
        incarnation: Incarnation,
        start: impl Future<Output = Result<T, Exit>>,
    ) -> Result<T, Exit> {
        let mut start = pin!(Some(start));
        let run = poll_fn(|context| {
            let polled = match start.as_mut().as_pin_mut() {
                Some(start) => start.poll(context),
                None => Poll::Pending,
            };
            self.waker.register(context.waker());
            // Also one that returned: nobody waits for it any more.
            self.given_up(incarnation)
                .map_or(polled, |exit| Poll::Ready(Err(exit)))
        })
        .await;
        catch::run_drop(|| start.set(None));
        run
    }

    fn given_up(&self, incarnation: Incarnation) -> Option<Exit> {
        lock::with(&self.orders, |orders| match &orders.next {
            _ if orders.closing.is_some() => Some(Exit::Killed),
            Some(Order::Abort(number, exit)) if *number == incarnation => Some(exit.clone()),
            Some(Order::End(..)) => Some(Exit::Killed),
            Some(Order::Run(next)) if next.incarnation > incarnation => Some(Exit::Killed),
            _ => None,
        })
    }
}

impl<A: Actor> Mail for Control<A> {
    fn note_mail(&self) -> bool {
        // Release and acquire as in `tell`. Where there was mail, the shell looks anyway.
        self.word.fetch_or(MAIL, Ordering::AcqRel) & (IN_CALLBACK | MAIL) == 0
    }
}

#[cfg(test)]
mod tests;
