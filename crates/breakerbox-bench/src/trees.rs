//! Supervisors of every make and their children, behind one way to use them.
//!
//! A child answers questions and crashes when it is asked to, by returning an
//! error: nothing unwinds. Each is restarted at once, whenever it crashes.
//!
//! # What differs
//!
//! The file of each make says where it does less, or in another order. What is
//! measured ends for all of them where the children are up, or gone.

use std::future::Future;

mod bare;
mod breakerbox;
mod echo;
mod kameo;
#[cfg(feature = "ractor-supervisor")]
mod ractor_supervisor;

pub use self::bare::Bare;
pub use self::breakerbox::Breakerbox;
pub use self::echo::{Echo, Question};
pub use self::kameo::Kameo;
#[cfg(feature = "ractor-supervisor")]
pub use self::ractor_supervisor::{Dynamic, Static};

/// A supervisor and its children.
pub trait Tree: Sized + Send + 'static {
    /// A child, as a caller keeps it.
    type Child: Caller;

    /// Starts one with so many children, and returns when they are up.
    fn start(children: usize) -> impl Future<Output = Self> + Send;

    /// Stops them all, and returns when they are gone.
    fn stop(self) -> impl Future<Output = ()> + Send;

    /// The first child.
    fn first(&self) -> Self::Child;
}

/// A supervisor whose children come and go.
pub trait Grows: Tree {
    /// Adds a child, and returns when it is up.
    fn add(&mut self) -> impl Future<Output = ()> + Send;

    /// Removes the youngest, and returns when it is gone.
    fn remove(&mut self) -> impl Future<Output = ()> + Send;
}

/// Someone who asks an actor.
pub trait Caller: Send + Sync + 'static {
    /// Asks until there is an answer.
    fn ask(&self) -> impl Future<Output = ()> + Send;

    /// Tells the actor to crash, and does not wait for it.
    fn crash(&self) -> impl Future<Output = ()> + Send;
}
