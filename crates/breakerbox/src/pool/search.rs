use std::time::Instant;

use breakerbox_core::{EndpointId, Wish};

use crate::moment::Moment;

/// What is known when an endpoint is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    /// Now, as the words of endpoints have it: to find that takes longer than all the
    /// comparisons of a pick.
    pub(super) moment: Moment,
    pub(super) now: Instant,
    pub(super) pushback: Pushback,
    /// The endpoints that the call was sent to before.
    pub(super) tried: &'a [EndpointId],
    pub(super) wish: Wish,
}

/// What becomes of an endpoint that asked to be left alone for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pushback {
    /// It is left alone.
    Obeyed,
    /// It is asked all the same: without it there is nobody.
    Overruled,
}
