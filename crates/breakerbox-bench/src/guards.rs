//! Breakers of every make, in the same shapes, behind one way to call them.
//!
//! # Shapes
//!
//! Where a peer cannot be made to a shape, it gets the nearest that is cheaper
//! for it; the file of the peer says which.

use std::future::Future;

use crate::work::{Failed, work};

mod breakerbox;
mod circuitbreaker_rs;
mod failsafe;
mod http;
mod in_mutex;
mod nobreak;
mod picks;
mod recloser;
mod tower_resilience;

pub use self::breakerbox::{Boxed, ByHand, Hinted, InPool, Judge, Judged, Shop};
pub use self::circuitbreaker_rs::CircuitbreakerRs;
pub use self::failsafe::Failsafe;
pub use self::http::{AtOnce, HttpServer, Requests, client};
pub use self::in_mutex::InMutex;
pub use self::nobreak::Nobreak;
pub use self::picks::Picks;
pub use self::recloser::{AsyncRecloser, Recloser};
pub use self::tower_resilience::TowerResilience;

/// Something that a blocking call goes through.
pub trait Guard: Send + Sync + 'static {
    /// Calls [`work`]; whether it was called and worked.
    fn run(&self, fails: bool) -> bool;
}

/// Something that can refuse any blocking call.
pub trait Breaks: Send + Sync + 'static {
    /// Makes the call, if it may; whether it was made and worked.
    fn protect(&self, call: impl FnOnce() -> Result<u64, Failed>) -> bool;
}

impl<B: Breaks> Guard for B {
    fn run(&self, fails: bool) -> bool {
        self.protect(|| work(fails))
    }
}

/// Something that an async call goes through; each task has a clone.
pub trait AsyncGuard: Clone + Send + 'static {
    /// Calls [`work`]; whether it was called and worked.
    fn call(&mut self, fails: bool) -> impl Future<Output = bool> + Send;
}

/// When a breaker opens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// 50 % failed of at least 20 within 10 seconds.
    HalfOfTwenty,
    /// So many failures in a row.
    InARow(u32),
    /// 50 % failed of the last 100 calls.
    LastHundred,
}

/// No breaker: what the rest of the loop costs.
#[derive(Clone, Copy, Debug)]
pub struct Bare;

impl Guard for Bare {
    fn run(&self, fails: bool) -> bool {
        work(fails).is_ok()
    }
}

impl AsyncGuard for Bare {
    async fn call(&mut self, fails: bool) -> bool {
        ready(fails).await.is_ok()
    }
}

/// A future that is ready at once, whatever it says.
async fn ready(fails: bool) -> Result<u64, Failed> {
    work(fails)
}
