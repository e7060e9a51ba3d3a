/// What becomes of an actor's address when its incarnation ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Address {
    /// The next incarnation has it, and the mailbox.
    Kept,
    /// It ends too; the next incarnation has another one.
    New,
}
