//! The actors that an incarnation linked to its shell.

use std::time::Duration;

use futures_util::future::join_all;
use ractor::ActorCell;

use super::super::shutdown::KILL_TIMEOUT;

/// Stops the actors that are linked to `shell`, and waits until they have ended.
///
/// They belong to the incarnation that ended: the next one must not receive
/// their supervision events, nor find a name of theirs taken. One that is stuck
/// in blocking code is unlinked, so that its end is reported to nobody.
pub(crate) async fn stop_all(shell: &ActorCell, timeout: Duration) {
    let linked = shell.get_children();
    join_all(linked.iter().map(|actor| stop(actor, shell, timeout))).await;
}

async fn stop(actor: &ActorCell, shell: &ActorCell, timeout: Duration) {
    actor.stop(None);
    if actor.wait(Some(timeout)).await.is_err() {
        actor.kill();
        if actor.wait(Some(KILL_TIMEOUT)).await.is_err() {
            actor.unlink(shell.clone());
        }
    }
}
