use std::error::Error;
use std::fmt;

use breakerbox_core::Exit;

/// The reason why a child was not added.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AddError {
    /// There is a child of that name already.
    Duplicate {
        /// The name that is taken.
        child: String,
    },
    /// The supervisor has ended, or the child was stopped or removed before it was up.
    Ended,
    /// The child did not come up.
    Failed {
        /// The child's name.
        child: String,
        /// The exit of the incarnation that did not come up.
        exit: Exit,
    },
    /// The set holds its maximum of children.
    Full {
        /// The maximum.
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

/// The reason why a child was not removed or stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RemoveError {
    /// The supervisor has ended, and its children with it.
    Ended,
    /// There is no child of that name or path that could be removed or stopped.
    Unknown {
        /// The name that was asked for.
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

/// The reason why a child was not restarted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RestartError {
    /// The supervisor has ended, or the child was stopped or removed before it was up.
    Ended,
    /// The next incarnation of the child did not come up.
    Failed {
        /// The child's name.
        child: String,
        /// The exit of the incarnation that did not come up.
        exit: Exit,
    },
    /// There is no child of that name or path that could be started.
    Unknown {
        /// The name that was asked for.
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
