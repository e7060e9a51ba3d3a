//! An actor that sets something going in its scope, and a trace of what reaches it.

use std::sync::{Arc, Mutex, Weak};

use ractor::{Actor, ActorProcessingErr, ActorRef, OutputPort, SupervisionEvent, pg};
use tokio::time::Instant;

use super::super::SECOND;
use super::super::scripted::Idle;
use super::super::worker::Fault;
use crate::supervisor::{ChildSpec, Scope};

/// What an incarnation sets going.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Group,
    GroupMonitor,
    Interval,
    Loop,
    #[cfg(feature = "monitors")]
    Monitor,
    Subscription,
    Timer,
    Token,
}

impl Kind {
    pub(super) const ALL: &[Self] = &[
        Self::Group,
        Self::GroupMonitor,
        Self::Interval,
        Self::Loop,
        #[cfg(feature = "monitors")]
        Self::Monitor,
        Self::Subscription,
        Self::Timer,
        Self::Token,
    ];

    /// How often it reaches an incarnation within 10.6 s.
    pub(super) const fn expected(self) -> usize {
        match self {
            Self::Group => 0,
            // Somebody joins and leaves.
            Self::GroupMonitor => 2,
            Self::Interval | Self::Token => 10,
            // At 0 s, 0.25 s, and so on to 10.5 s.
            Self::Loop => 43,
            _ => 1,
        }
    }
}

/// How the second incarnation starts, once it has set everything going.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BusyStart {
    FailsOnce,
    HangsOnce,
    Works,
}

/// What the incarnations of a child share.
pub(super) struct World {
    shared: Arc<Shared>,
}

struct Shared {
    kind: Kind,
    name: String,
    port: OutputPort<()>,
    start: BusyStart,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the functions of each incarnation hold.
    held: Vec<Weak<()>>,
    starts: Vec<Instant>,
    /// Those that incarnations monitor.
    #[cfg(feature = "monitors")]
    targets: Vec<(u64, ActorRef<()>)>,
    traces: Vec<Trace>,
}

/// Something that an incarnation set going has reached one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Trace {
    pub(super) of: u64,
    pub(super) reached: u64,
}

impl World {
    pub(super) fn new(kind: Kind, start: BusyStart, name: &str) -> Self {
        let shared = Shared {
            kind,
            name: name.to_owned(),
            port: OutputPort::default(),
            start,
            state: Mutex::default(),
        };
        let shared = Arc::new(shared);
        Self { shared }
    }

    pub(super) fn child(&self, name: &'static str) -> ChildSpec {
        let shared = Arc::clone(&self.shared);
        ChildSpec::actor_with(name, move |scope| (Busy { scope }, Arc::clone(&shared)))
    }

    pub(super) fn name(&self) -> &str {
        &self.shared.name
    }

    pub(super) fn latest(&self) -> u64 {
        self.shared.latest()
    }

    pub(super) fn start_of(&self, incarnation: u64) -> Instant {
        let index = usize::try_from(incarnation - 1).unwrap();
        self.shared.state.lock().unwrap().starts[index]
    }

    pub(super) fn traces(&self) -> Vec<Trace> {
        self.shared.state.lock().unwrap().traces.clone()
    }

    /// How many functions of an incarnation are left.
    pub(super) fn held_by(&self, incarnation: u64) -> usize {
        let index = usize::try_from(incarnation - 1).unwrap();
        self.shared.state.lock().unwrap().held[index].strong_count()
    }

    pub(super) fn group(&self, incarnation: u64) -> String {
        self.shared.group(incarnation)
    }

    /// Has everything happen that an incarnation may have subscribed to or monitor.
    pub(super) async fn use_all(&self) {
        self.shared.port.send(());
        for incarnation in 1..=self.latest() {
            let (idle, _task) = Idle::spawn(None, Idle, ()).await.unwrap();
            let watched = self.shared.watched(incarnation);
            pg::join(watched, vec![idle.get_cell()]);
            idle.stop(None);
        }
        #[cfg(feature = "monitors")]
        for (_, target) in &self.shared.state.lock().unwrap().targets {
            target.stop(None);
        }
    }
}

impl Shared {
    fn latest(&self) -> u64 {
        self.state.lock().unwrap().starts.len() as u64
    }

    fn group(&self, incarnation: u64) -> String {
        format!("{} {incarnation}", self.name)
    }

    fn watched(&self, incarnation: u64) -> String {
        format!("{} watched {incarnation}", self.name)
    }

    #[cfg(feature = "monitors")]
    fn number_of_target(&self, actor: &ractor::ActorCell) -> u64 {
        let state = self.state.lock().unwrap();
        let mut targets = state.targets.iter();
        let target = targets.find(|(_, target)| target.get_id() == actor.get_id());
        target.expect("no other actor is monitored").0
    }

    fn trace(&self, of: u64, reached: u64) {
        let mut state = self.state.lock().unwrap();
        state.traces.push(Trace { of, reached });
    }

    fn begin(&self) -> (u64, Arc<()>) {
        let held = Arc::default();
        let mut state = self.state.lock().unwrap();
        state.starts.push(Instant::now());
        state.held.push(Arc::downgrade(&held));
        (state.starts.len() as u64, held)
    }

    async fn set_going(self: &Arc<Self>, number: u64, held: Arc<()>, scope: &Scope<BusyMessage>) {
        let make = move || {
            let _held = &held;
            BusyMessage::Trace(number)
        };
        match self.kind {
            Kind::Group => scope.join_group(self.group(number)),
            Kind::GroupMonitor => scope.monitor_group(self.watched(number)),
            Kind::Interval => drop(scope.send_interval(SECOND, make)),
            Kind::Loop => scope.send_self(BusyMessage::Loop(number)).unwrap(),
            #[cfg(feature = "monitors")]
            Kind::Monitor => {
                let (target, _task) = Idle::spawn(None, Idle, ()).await.unwrap();
                scope.monitor(&target);
                self.state.lock().unwrap().targets.push((number, target));
            }
            Kind::Subscription => scope.subscribe(&self.port, move |()| Some(make())),
            Kind::Timer => drop(scope.send_after(5 * SECOND, make)),
            Kind::Token => {
                let (shared, token) = (Arc::clone(self), scope.token());
                tokio::spawn(token.run_until_cancelled_owned(async move {
                    loop {
                        tokio::time::sleep(SECOND).await;
                        shared.trace(number, shared.latest());
                    }
                }));
            }
        }
    }
}

pub(super) enum BusyMessage {
    Fail(Fault),
    Loop(u64),
    Trace(u64),
}

#[cfg(feature = "cluster")]
impl ractor::Message for BusyMessage {}

struct Busy {
    scope: Scope<BusyMessage>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Busy {
    type Msg = BusyMessage;
    type State = (u64, Arc<Shared>);
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        _: ActorRef<BusyMessage>,
        shared: Arc<Shared>,
    ) -> Result<(u64, Arc<Shared>), ActorProcessingErr> {
        let (number, held) = shared.begin();
        shared.set_going(number, held, &self.scope).await;
        match shared.start {
            BusyStart::FailsOnce if number == 2 => return Err("failed to start".into()),
            BusyStart::HangsOnce if number == 2 => std::future::pending().await,
            _ => {}
        }
        Ok((number, shared))
    }

    async fn handle(
        &self,
        _: ActorRef<BusyMessage>,
        message: BusyMessage,
        (number, shared): &mut (u64, Arc<Shared>),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            BusyMessage::Fail(fault) => return fault.fail(),
            BusyMessage::Loop(of) => {
                shared.trace(of, *number);
                tokio::time::sleep(SECOND / 4).await;
                let _drains = self.scope.send_self(BusyMessage::Loop(of));
            }
            BusyMessage::Trace(of) => shared.trace(of, *number),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<BusyMessage>,
        event: SupervisionEvent,
        (number, shared): &mut (u64, Arc<Shared>),
    ) -> Result<(), ActorProcessingErr> {
        let of = match event {
            SupervisionEvent::ProcessGroupChanged(change) => {
                let group = change.get_group();
                let of = (1..=*number).find(|it| shared.watched(*it) == group);
                of.expect("no other group is monitored")
            }
            #[cfg(feature = "monitors")]
            SupervisionEvent::ActorTerminated(actor, ..) => shared.number_of_target(&actor),
            _ => return Ok(()),
        };
        shared.trace(of, *number);
        Ok(())
    }
}
