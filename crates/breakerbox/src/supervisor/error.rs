use std::error::Error;
use std::fmt;

use breakerbox_core::Exit;

/// A child was not added.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AddError {
    /// There is a child of that name already.
    Duplicate {
        /// The name.
        child: String,
    },
    /// The supervisor has ended, or the child was removed before it was up.
    Ended,
    /// The child did not come up.
    Failed {
        /// Its name.
        child: String,
        /// How it ended.
        exit: Exit,
    },
    /// The set holds as many children as it may.
    Full {
        /// How many.
        maximum: usize,
    },
}

impl Error for AddError {}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { child } => write!(f, "there is a child {child:?} already"),
            Self::Ended => f.write_str("the supervisor or the child was ended meanwhile"),
            Self::Failed { child, exit } => write!(f, "child {child:?} {exit}"),
            Self::Full { maximum } => write!(f, "the set is full: it holds {maximum} children"),
        }
    }
}

/// A child was not removed or stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RemoveError {
    /// The supervisor has ended, and its children with it.
    Ended,
    /// There is no child of that name.
    Unknown {
        /// The name.
        child: String,
    },
}

impl Error for RemoveError {}

impl fmt::Display for RemoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the supervisor has ended"),
            Self::Unknown { child } => write!(f, "there is no child {child:?}"),
        }
    }
}

/// A child was not started anew.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RestartError {
    /// The supervisor or the child was ended meanwhile.
    Ended,
    /// Its next incarnation did not come up.
    Failed {
        /// Its name.
        child: String,
        /// How it ended.
        exit: Exit,
    },
    /// There is no child of that name that could be started.
    Unknown {
        /// The name.
        child: String,
    },
}

impl Error for RestartError {}

impl fmt::Display for RestartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the supervisor or the child was ended meanwhile"),
            Self::Failed { child, exit } => write!(f, "child {child:?} {exit}"),
            Self::Unknown { child } => write!(f, "there is no child {child:?} to restart"),
        }
    }
}
