//! The commands that the owner has been given and has not carried out.
//!
//! They lie here, not in its mailbox, so an owner that is stuck is given at most one of
//! each kind, and one that crashes loses none.

use std::collections::VecDeque;
use std::sync::Arc;

use breakerbox_core::{BreakerConfig, Override};

/// What the operator wants of a breaker.
#[derive(Clone, Debug)]
pub(in crate::breaker) enum Command {
    Override(Option<Override>),
    Reconfigure(Arc<BreakerConfig>),
    Reset,
}

impl Command {
    /// Returns whether this command leaves nothing of an earlier one.
    fn replaces(&self, earlier: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(earlier)
    }
}

/// They are numbered from 1, in the order in which they were given.
#[derive(Debug, Default)]
pub(super) struct Commands {
    carried_out: u64,
    given: u64,
    waiting: VecDeque<(u64, Command)>,
}

impl Commands {
    /// Gives the owner a command, and returns its number.
    pub(super) fn give(&mut self, command: Command) -> u64 {
        self.waiting
            .retain(|(_, earlier)| !command.replaces(earlier));
        self.given += 1;
        self.waiting.push_back((self.given, command));
        self.given
    }

    /// Takes the first of them, which was given before all others that wait.
    pub(super) fn take(&mut self) -> Option<(u64, Command)> {
        self.waiting.pop_front()
    }

    /// Drops those that wait: there will be no owner to carry them out.
    pub(super) fn void(&mut self) {
        self.waiting.clear();
    }

    /// Notes that the command with this number is carried out.
    ///
    /// So are those before it, or they were replaced.
    pub(super) fn note_carried_out(&mut self, number: u64) {
        self.carried_out = number;
    }

    /// Returns the number up to which all are carried out.
    pub(super) fn carried_out(&self) -> u64 {
        self.carried_out
    }

    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn r26_a_command_replaces_the_one_of_its_kind_that_waits() {
        let mut commands = Commands::default();
        let force = || Command::Override(Some(Override::forced_open("test")));
        for (number, command) in [(1, force()), (2, Command::Reset), (3, force())] {
            assert_eq!(commands.give(command), number);
        }
        assert!(matches!(commands.take(), Some((2, Command::Reset))));
        assert_eq!(commands.carried_out(), 0);
        commands.note_carried_out(2);
        assert_eq!(commands.give(Command::Reset), 4);
        assert_eq!(commands.carried_out(), 2, "whatever was given since");
        assert!(matches!(commands.take(), Some((3, Command::Override(_)))));
        assert!(matches!(commands.take(), Some((4, Command::Reset))));
        assert!(!commands.are_waiting());
    }
}
