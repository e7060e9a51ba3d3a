use std::pin::Pin;
use std::task::Context;

use breakerbox_core::{Exit, Incarnation};
use ractor::Actor;
use tokio::time::{Instant, Sleep};

use super::super::super::{Departure, Shutdown};
use super::super::StartOrder;
use crate::clock;

/// The orders that a shell has been given, and how it has ended.
pub(super) struct Orders<A: Actor> {
    /// How it ends, once it is to end for good.
    pub(super) closing: Option<EndOrder>,
    pub(super) end: ShellEnd,
    pub(super) has_ended: bool,
    /// Whether it can run no other incarnation, whoever ends it.
    pub(super) is_over: bool,
    pub(super) next: Option<Order<A>>,
    /// The order to end an incarnation, where a later one came before it was taken.
    ///
    /// The callback that runs belongs to that incarnation and must end all the same.
    pub(super) overdue: Option<EndOrder>,
}

impl<A: Actor> Orders<A> {
    /// Gives an order, and returns the one that it replaces.
    pub(super) fn replace(&mut self, order: Order<A>) -> Option<Order<A>> {
        let former = self.next.replace(order);
        if let Some(Order::End(_, end)) = &former {
            self.overdue = Some(*end);
        }
        former
    }

    /// Has the shell end for good within this time, or one that it was given before.
    pub(super) fn close(&mut self, end: EndOrder) {
        let is_sooner = self.closing.is_none_or(|it| end.by < it.by);
        if is_sooner || end.shutdown == Shutdown::Kill {
            self.closing = Some(end);
        }
    }

    /// Bounds the end of a shell that ends anyway, as this order does an incarnation's.
    pub(super) fn bound_by(&mut self, order: &Order<A>) {
        if let Order::End(_, end) = order {
            self.close(*end);
        }
    }

    /// How the callback that runs is to end, if it is to.
    pub(super) const fn end_of_callback(&self) -> Option<EndOrder> {
        match &self.next {
            _ if self.overdue.is_some() => self.overdue,
            _ if self.closing.is_some() => self.closing,
            Some(Order::End(_, end)) => Some(*end),
            _ => None,
        }
    }
}

/// What a shell is to do.
pub(crate) enum Order<A: Actor> {
    /// Let nothing come of the start of this incarnation, which took too long.
    Abort(Incarnation, Exit),
    /// End this incarnation, however far it is, and keep what waits for the next one.
    End(Incarnation, EndOrder),
    /// Run this incarnation.
    Run(StartOrder<A>),
    /// Wait for another order among the messages: that may take a while.
    Wait,
}

/// How an incarnation is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndOrder {
    by: Instant,
    shutdown: Shutdown,
}

impl EndOrder {
    /// As this says, from now on.
    pub(crate) fn of(shutdown: Shutdown) -> Self {
        Self {
            by: clock::after(shutdown.timeout()).into(),
            shutdown,
        }
    }

    /// When it must have ended.
    pub(crate) const fn by(self) -> Instant {
        self.by
    }

    /// Whether it has time to end as it wants to.
    pub(crate) fn has_time(self) -> bool {
        self.shutdown != Shutdown::Kill && Instant::now() < self.by
    }
}

/// How a shell ended.
pub(super) struct ShellEnd {
    pub(super) departure: Departure,
    pub(super) exit: Exit,
}

/// How an order reached a shell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ordered {
    /// The callback that runs carries it out.
    InCallback,
    /// It waits for a message, and must be woken.
    InMailbox,
    /// It ends.
    Refused,
}

/// When a callback must end.
pub(super) enum Over {
    Set(Instant, Pin<Box<Sleep>>),
    Unset,
}

impl Over {
    pub(super) fn is_reached(&mut self, end: EndOrder, context: &mut Context<'_>) -> bool {
        if end.shutdown == Shutdown::Kill {
            return true;
        }
        if !matches!(self, Self::Set(by, _) if *by == end.by) {
            *self = Self::Set(end.by, Box::pin(tokio::time::sleep_until(end.by)));
        }
        match self {
            Self::Set(_, sleep) => sleep.as_mut().poll(context).is_ready(),
            Self::Unset => false,
        }
    }
}
