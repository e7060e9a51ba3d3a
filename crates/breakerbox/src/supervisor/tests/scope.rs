mod busy;
mod handles;
mod messages;
mod noter;
mod timers;

use breakerbox_core::Strategy;
use ractor::pg;
use tokio::runtime::Handle;

use super::worker::{Fault, WorkerMessage, worker};
use super::{SECOND, restarted, spec, until};
use crate::supervisor::{Supervisor, SupervisorEvents};
use busy::{BusyMessage, BusyStart, Kind, World};

/// A way in which an incarnation ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Crash(Fault),
    Drain,
    Kill,
    Restart,
    RestartOfGroup,
    Shutdown,
    StartFailed,
    StartTimedOut,
    Stop,
    StopOfAddress,
}

impl Way {
    const ALL: [Self; 11] = [
        Self::Crash(Fault::Error),
        Self::Crash(Fault::Panic),
        Self::Drain,
        Self::Kill,
        Self::Restart,
        Self::RestartOfGroup,
        Self::Shutdown,
        Self::StartFailed,
        Self::StartTimedOut,
        Self::Stop,
        Self::StopOfAddress,
    ];

    /// How the incarnation after the first one starts.
    const fn start(self) -> BusyStart {
        match self {
            Self::StartFailed => BusyStart::FailsOnce,
            Self::StartTimedOut => BusyStart::HangsOnce,
            _ => BusyStart::Works,
        }
    }

    const fn strategy(self) -> Strategy {
        match self {
            Self::RestartOfGroup => Strategy::OneForAll,
            _ => Strategy::OneForOne,
        }
    }

    const fn is_for_good(self) -> bool {
        matches!(self, Self::Shutdown | Self::Stop)
    }

    /// Ends the incarnation, and returns when the next one is up, if there is one.
    async fn end(self, supervisor: &Supervisor, events: &mut SupervisorEvents) {
        let busy = supervisor.child::<BusyMessage>("busy").unwrap().actor();
        match self {
            Self::Crash(fault) => busy.cast(BusyMessage::Fail(fault)).unwrap(),
            Self::Drain => busy.drain().unwrap(),
            Self::Kill => busy.kill(),
            Self::Restart => supervisor.restart("busy").await.unwrap(),
            Self::RestartOfGroup => {
                let other = supervisor.child::<WorkerMessage>("other").unwrap();
                let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
                other.ask(fail, SECOND).await.unwrap_err();
                until(events, restarted).await;
            }
            Self::Shutdown => drop(supervisor.shutdown().await),
            Self::StartFailed | Self::StartTimedOut => {
                busy.cast(BusyMessage::Fail(Fault::Error)).unwrap();
            }
            Self::Stop => drop(supervisor.stop("busy").await.unwrap()),
            Self::StopOfAddress => busy.stop(None),
        }
        if !self.is_for_good() {
            until(events, restarted).await;
        }
    }
}

/// R41: nothing that an incarnation set going in its scope reaches the next one.
#[tokio::test(start_paused = true)]
async fn r41_what_a_scope_set_going_ends_with_its_incarnation() {
    for &kind in Kind::ALL {
        for way in Way::ALL {
            let world = World::new(kind, way.start(), &format!("{kind:?} {way:?}"));
            let tasks = Handle::current().metrics().num_alive_tasks();
            ends_with_its_incarnation(kind, way, &world).await;
            world.use_all().await;
            tokio::time::sleep(SECOND).await;
            let left = Handle::current().metrics().num_alive_tasks();
            assert_eq!(left, tasks, "{}", world.name());
        }
    }
}

async fn ends_with_its_incarnation(kind: Kind, way: Way, world: &World) {
    let mut spec = spec([world.child("busy"), worker("other")]);
    spec.strategy = way.strategy();
    let supervisor = spec.start().await.unwrap();
    let mut events = supervisor.events();
    tokio::time::sleep(2 * SECOND + SECOND / 2).await;
    way.end(&supervisor, &mut events).await;
    let latest = world.latest();
    for former in 1..latest {
        is_over(world, former);
    }
    if way.is_for_good() {
        is_over(world, latest);
        let traces = world.traces().len();
        world.use_all().await;
        tokio::time::sleep(11 * SECOND).await;
        assert_eq!(world.traces().len(), traces, "{}", world.name());
    } else {
        world.use_all().await;
        // Half a second after the last tick that counts.
        let end = world.start_of(latest) + 10 * SECOND + SECOND / 10 * 6;
        tokio::time::sleep_until(end).await;
        let traces = world.traces();
        let latest = traces.iter().filter(|trace| trace.of == latest).count();
        assert_eq!(latest, kind.expected(), "{}", world.name());
    }
    let mut traces = world.traces().into_iter();
    assert!(traces.all(|it| it.of == it.reached), "{}", world.name());
    supervisor.shutdown().await;
    is_over(world, world.latest());
}

/// Asserts that nothing is left of what an incarnation set going.
fn is_over(world: &World, incarnation: u64) {
    let name = world.name();
    assert_eq!(world.held_by(incarnation), 0, "{name} {incarnation}");
    let members = pg::get_members(&world.group(incarnation));
    assert_eq!(members, [], "{name} {incarnation}");
}
