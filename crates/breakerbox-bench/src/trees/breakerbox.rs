use std::time::Duration;

use ::breakerbox::{ChildSpec, OnLimit, RestartIntensity, Strategy, Supervisor, SupervisorSpec};
use ractor::ActorRef;

use super::{Echo, Grows, Question, Tree};

/// Our own: children in shells, which keep address and mailbox over a crash.
///
/// They are stopped in reverse order, each when the next is gone, and their
/// `post_stop` runs.
pub struct Breakerbox {
    children: usize,
    supervisor: Supervisor,
}

impl Tree for Breakerbox {
    type Child = ActorRef<Question>;

    async fn start(children: usize) -> Self {
        let spec = SupervisorSpec::new("bench", Strategy::OneForOne).intensity(EVERY);
        let spec = (0..children).map(child).fold(spec, SupervisorSpec::child);
        Self {
            children,
            supervisor: spec.start().await.expect("a supervisor starts"),
        }
    }

    async fn stop(self) {
        let report = self.supervisor.shutdown().await;
        assert_eq!(report.unclean().count(), 0, "a child was killed");
    }

    fn first(&self) -> ActorRef<Question> {
        let first = self.supervisor.child("0");
        first.expect("it was declared").actor()
    }
}

impl Grows for Breakerbox {
    async fn add(&mut self) {
        let added = self.supervisor.add(child(self.children)).await;
        added.expect("its name is new");
        self.children += 1;
    }

    async fn remove(&mut self) {
        self.children -= 1;
        let removed = self.supervisor.remove(&self.children.to_string()).await;
        removed.expect("it was added");
    }
}

fn child(number: usize) -> ChildSpec {
    ChildSpec::actor(number.to_string(), || (Echo, ())).intensity(EVERY, OnLimit::StopChild)
}

const EVERY: RestartIntensity = RestartIntensity::new(u32::MAX, Duration::from_secs(1));
