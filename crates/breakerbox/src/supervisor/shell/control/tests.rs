use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;

use super::{Control, EndOrder, Order};
use crate::supervisor::Shutdown;
use crate::supervisor::shell::{Former, StartOrder};

struct Nobody;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Nobody {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

const FIRST: Incarnation = Incarnation::FIRST;

fn abort() -> Order<Nobody> {
    Order::Abort(FIRST, Exit::init_failed("too late"))
}

fn end() -> Order<Nobody> {
    Order::End(FIRST, EndOrder::of(Shutdown::Within(Duration::MAX)))
}

fn run() -> Order<Nobody> {
    Order::Run(start())
}

fn start() -> StartOrder<Nobody> {
    StartOrder {
        by: Instant::now(),
        former: Former::Ended,
        incarnation: FIRST,
        make: Arc::new(|_| (Nobody, ())),
    }
}

/// What a shell takes that was given these orders before it looked.
fn taken_of(orders: [Order<Nobody>; 2]) -> Option<&'static str> {
    let control = Control::new(start());
    assert!(control.take_order().is_some(), "the first start");
    for order in orders {
        control.order(order);
    }
    let taken = control.take_order();
    assert!(control.take_order().is_none(), "it is one order");
    taken.map(|order| match order {
        Order::Abort(..) => "abort",
        Order::End(..) => "end",
        Order::Run(_) => "run",
        Order::Wait => "wait",
    })
}

/// R42: the answer to a start that was given up is not lost in the order to give it up.
#[test]
fn r42_the_latest_order_holds_but_to_wait_is_no_reason_to_forget_one() {
    let cases = [
        ([abort(), abort()], "abort"),
        ([abort(), end()], "end"),
        ([abort(), run()], "run"),
        ([abort(), Order::Wait], "wait"),
        ([end(), abort()], "abort"),
        ([end(), end()], "end"),
        ([end(), run()], "run"),
        ([end(), Order::Wait], "end"),
        ([run(), abort()], "abort"),
        ([run(), end()], "end"),
        ([run(), run()], "run"),
        ([run(), Order::Wait], "run"),
        ([Order::Wait, abort()], "abort"),
        ([Order::Wait, end()], "end"),
        ([Order::Wait, run()], "run"),
        ([Order::Wait, Order::Wait], "wait"),
    ];
    for (at, (orders, expected)) in cases.into_iter().enumerate() {
        assert_eq!(taken_of(orders), Some(expected), "case {at}");
    }
}
