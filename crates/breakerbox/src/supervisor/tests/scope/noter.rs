use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::super::supervise;
use super::super::worker::Log;
use crate::supervisor::{ChildSpec, Scope, Supervisor};

/// An actor that does what it is told with its scope, and writes lines.
struct Noter {
    log: Arc<Log>,
    scope: Scope<Note>,
}

pub(super) enum Note {
    Line(&'static str),
    Run(Job),
    Wait(Duration),
}

pub(super) type Job = Box<dyn FnOnce(&Scope<Note>) + Send>;

#[cfg(feature = "cluster")]
impl ractor::Message for Note {}

impl Note {
    pub(super) fn run(run: impl FnOnce(&Scope<Self>) + Send + 'static) -> Self {
        Self::Run(Box::new(run))
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Noter {
    type Msg = Note;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Note>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Note>,
        note: Note,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match note {
            Note::Line(line) => self.log.write(line),
            Note::Run(run) => run(&self.scope),
            Note::Wait(span) => tokio::time::sleep(span).await,
        }
        Ok(())
    }
}

pub(super) async fn noter(log: &Arc<Log>) -> (Supervisor, ActorRef<Note>) {
    supervise_noter(spec_of(log)).await
}

pub(super) async fn supervise_noter(spec: ChildSpec) -> (Supervisor, ActorRef<Note>) {
    let supervisor = supervise([spec]).await;
    let actor = supervisor.child("noter").unwrap().actor();
    (supervisor, actor)
}

pub(super) fn spec_of(log: &Arc<Log>) -> ChildSpec {
    let log = Arc::clone(log);
    let make = move |scope| {
        let log = Arc::clone(&log);
        (Noter { log, scope }, ())
    };
    ChildSpec::actor_with("noter", make)
}

/// A handle on the scope of the incarnation that runs.
pub(super) async fn scope_of(actor: &ActorRef<Note>) -> Scope<Note> {
    let (sender, scope) = tokio::sync::oneshot::channel();
    let run = Note::run(|scope| sender.send(scope.clone()).unwrap());
    actor.cast(run).unwrap();
    scope.await.unwrap()
}
