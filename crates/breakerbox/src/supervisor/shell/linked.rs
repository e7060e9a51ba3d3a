//! The actors that are linked below a shell.

use futures_util::future::join_all;
use ractor::{ActorCell, ActorStatus};

use super::super::shutdown::KILL_TIMEOUT;
use super::bell::Bell;

/// Ends all actors linked below `shell`, at any depth; returns those that are left.
///
/// They belong to the incarnation that ended: the next one must not find a name of
/// theirs taken. Those that are linked to the shell itself have time to stop until what
/// `out_of_time` returns is ready.
/// When one has, ractor kills what is linked to it, and tells nobody when that has
/// ended. So the tree is walked before anything is stopped, and again until nothing
/// new is found.
///
/// What blocks its thread is left after a second. It is unlinked, so that its end is
/// reported to nobody.
pub(super) async fn end_all<F: Future<Output = ()>>(
    shell: &ActorCell,
    out_of_time: impl Fn() -> F,
) -> Vec<ActorCell> {
    let mut known = Vec::new();
    loop {
        let from = known.len();
        find(shell, &mut known);
        if known.len() == from {
            break;
        }
        let first_level = shell.get_children();
        for actor in first_level.iter().filter(|actor| !Bell::is(actor)) {
            actor.stop(None);
        }
        wait_until(&first_level, out_of_time()).await;
        // What they had linked is killed, unless it was draining.
        known[from..]
            .iter()
            .filter(|it| is_left(it))
            .for_each(ActorCell::kill);
        wait_until(&known[from..], tokio::time::sleep(KILL_TIMEOUT)).await;
        if known[from..].iter().any(is_left) {
            break;
        }
    }
    known.retain(is_left);
    known.iter().for_each(|actor| actor.unlink(shell.clone()));
    known
}

/// Waits until all of these have ended.
pub(super) async fn gone(actors: &mut Vec<ActorCell>) {
    while let Some(actor) = actors.last() {
        // Without a timeout this cannot fail.
        let _ended = actor.wait(None).await;
        actors.pop();
    }
}

/// Adds what is linked below an actor to what is known.
fn find(above: &ActorCell, known: &mut Vec<ActorCell>) {
    let mut above = vec![above.clone()];
    let mut ids: std::collections::HashSet<_> = known.iter().map(ActorCell::get_id).collect();
    above.extend(known.iter().cloned());
    while let Some(actor) = above.pop() {
        for below in actor.get_children() {
            if !Bell::is(&below) && ids.insert(below.get_id()) {
                above.push(below.clone());
                known.push(below);
            }
        }
    }
}

async fn wait_until(actors: &[ActorCell], over: impl Future<Output = ()>) {
    let left = actors.iter().filter(|it| is_left(it) && !Bell::is(it));
    let ended = join_all(left.map(|actor| actor.wait(None)));
    tokio::select! {
        biased;
        _ended = ended => {}
        () = over => {}
    }
}

fn is_left(actor: &ActorCell) -> bool {
    actor.get_status() != ActorStatus::Stopped
}
