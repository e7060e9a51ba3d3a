//! The call that is protected, and when it fails.

use std::error::Error;
use std::fmt;
use std::hint::black_box;

/// A call as cheap as one can be that the compiler cannot see through.
///
/// # Errors
///
/// [`Failed`] if it is to fail.
#[inline(never)]
pub fn work(fails: bool) -> Result<u64, Failed> {
    if black_box(fails) { Err(Failed) } else { Ok(1) }
}

/// The protected call failed, as it was told to.
#[derive(Clone, Copy, Debug)]
pub struct Failed;

impl Error for Failed {}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call failed")
    }
}

/// Which calls fail, known when the loop is compiled.
pub trait Pattern: 'static {
    /// Whether call number `call`, counted from 0, fails.
    fn fails(call: u64) -> bool;
}

/// No call fails.
pub struct Works;

impl Pattern for Works {
    fn fails(_call: u64) -> bool {
        false
    }
}

/// Five failures, then a success.
pub struct FiveThenOne;

impl Pattern for FiveThenOne {
    fn fails(call: u64) -> bool {
        call % 6 < 5
    }
}

/// A failure in four calls.
pub struct OneInFour;

impl Pattern for OneInFour {
    fn fails(call: u64) -> bool {
        call % 4 == 3
    }
}

/// Every call fails.
pub struct Fails;

impl Pattern for Fails {
    fn fails(_call: u64) -> bool {
        true
    }
}
