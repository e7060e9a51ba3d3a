mod below;
mod blocking;
mod boot;
mod captured;
mod clock;
mod commands;
mod deep;
mod dynamic;
mod end_times;
mod ending;
mod ends;
mod exit_texts;
mod factory;
mod groups;
mod handles;
mod limits;
mod linked;
mod logs;
mod names;
mod new_address;
mod orders;
mod queue;
mod restart;
mod scope;
mod scripted;
mod sets;
mod shell;
mod shutdown;
mod snapshots;
mod start_times;
mod stress;
mod stuck;
mod tasks;
mod trees;
mod troubled;
mod worker;

use std::time::Duration;

use breakerbox_core::Strategy;

use super::{ChildSpec, Supervisor, SupervisorEvent, SupervisorEvents, SupervisorSpec};

const SECOND: Duration = Duration::from_secs(1);

/// A supervisor without a limit, with these children.
async fn supervise(children: impl IntoIterator<Item = ChildSpec>) -> Supervisor {
    spec(children).start().await.unwrap()
}

fn spec(children: impl IntoIterator<Item = ChildSpec>) -> SupervisorSpec {
    let intensity = breakerbox_core::RestartIntensity::new(1_000_000, SECOND);
    let spec = SupervisorSpec::new("tests", Strategy::OneForOne).intensity(intensity);
    children.into_iter().fold(spec, SupervisorSpec::child)
}

/// Waits for an event that is like this.
async fn until(
    events: &mut SupervisorEvents,
    is: impl Fn(&SupervisorEvent) -> bool,
) -> SupervisorEvent {
    loop {
        let event = events.next().await.expect("the supervisor runs");
        if is(&event) {
            return event;
        }
    }
}

fn restarted(event: &SupervisorEvent) -> bool {
    matches!(event, SupervisorEvent::Restarted { .. })
}

fn exited(event: &SupervisorEvent) -> bool {
    matches!(event, SupervisorEvent::Exited { .. })
}

fn stopped(event: &SupervisorEvent) -> bool {
    matches!(event, SupervisorEvent::Stopped { .. })
}

/// Kills the supervisor's actor, as only other ractor code can.
fn kill(supervisor: &Supervisor) {
    supervisor.now().kill();
}
