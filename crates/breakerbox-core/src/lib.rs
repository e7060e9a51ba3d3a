//! The decisions of breakerbox, as plain values.

mod backoff;
mod ratio;
mod span;

pub use backoff::{Backoff, Dice};
pub use ratio::Ratio;
