//! The actors that an incarnation linked to its shell.

use std::time::Duration;

use futures_util::future::join_all;
use ractor::ActorCell;

/// Stops the actors that are linked to `shell`, and waits until they are gone.
///
/// They belong to the incarnation that ended: the next one must not hear of
/// them, nor find a name of theirs taken. One that is stuck in blocking code is
/// let go, so that its end is nobody's news.
pub(super) async fn see_off(shell: &ActorCell, patience: Duration) {
    let kin = shell.get_children();
    join_all(kin.iter().map(|actor| end(actor, shell, patience))).await;
}

async fn end(actor: &ActorCell, shell: &ActorCell, patience: Duration) {
    actor.stop(None);
    if actor.wait(Some(patience)).await.is_err() {
        actor.kill();
        if actor.wait(Some(AFTER_A_KILL)).await.is_err() {
            actor.unlink(shell.clone());
        }
    }
}

/// How long a killed actor is waited for.
///
/// A kill drops its future at the next await, which takes microseconds; what
/// takes a second never awaits.
pub(super) const AFTER_A_KILL: Duration = Duration::from_secs(1);
