//! An actor whose hooks are closures of the test.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};

use super::worker::Log;
use crate::supervisor::ChildSpec;

/// What an actor does in its hooks, called with its number; nothing unless set.
///
/// Its log counts its incarnations, and has a line for each that it handles.
pub(super) struct Script {
    log: Arc<Log>,
    on_drop: Box<dyn Fn(u64) + Send + Sync>,
    post_start: Hook,
    post_stop: Hook,
    pre_start: Hook,
}

type Hook = Box<dyn Fn(u64, ActorRef<Ask>) -> BoxFuture<'static, Done> + Send + Sync>;
pub(super) type Done = Result<(), ActorProcessingErr>;

pub(super) enum Ask {
    Fail,
    /// Replies, and holds this for ever.
    Hold(Box<dyn Send>, RpcReplyPort<()>),
    Panic,
    /// Which incarnation answers.
    Who(RpcReplyPort<u64>),
}

#[cfg(feature = "cluster")]
impl ractor::Message for Ask {}

impl Script {
    pub(super) fn new(log: &Arc<Log>) -> Self {
        Self {
            log: Arc::clone(log),
            on_drop: Box::new(|_| ()),
            post_start: hook(|_, _| ready(Ok(()))),
            post_stop: hook(|_, _| ready(Ok(()))),
            pre_start: hook(|_, _| ready(Ok(()))),
        }
    }

    pub(super) fn on_drop(self, on_drop: impl Fn(u64) + Send + Sync + 'static) -> Self {
        let on_drop = Box::new(on_drop);
        Self { on_drop, ..self }
    }

    pub(super) fn post_start<F: Future<Output = Done> + Send + 'static>(
        self,
        run: impl Fn(u64, ActorRef<Ask>) -> F + Send + Sync + 'static,
    ) -> Self {
        let post_start = hook(run);
        Self { post_start, ..self }
    }

    pub(super) fn post_stop<F: Future<Output = Done> + Send + 'static>(
        self,
        run: impl Fn(u64, ActorRef<Ask>) -> F + Send + Sync + 'static,
    ) -> Self {
        let post_stop = hook(run);
        Self { post_stop, ..self }
    }

    pub(super) fn pre_start<F: Future<Output = Done> + Send + 'static>(
        self,
        run: impl Fn(u64, ActorRef<Ask>) -> F + Send + Sync + 'static,
    ) -> Self {
        let pre_start = hook(run);
        Self { pre_start, ..self }
    }

    pub(super) fn child(self, name: &'static str) -> ChildSpec {
        let script = Arc::new(self);
        ChildSpec::actor(name, move || (Scripted, Arc::clone(&script)))
    }
}

fn hook<F: Future<Output = Done> + Send + 'static>(
    run: impl Fn(u64, ActorRef<Ask>) -> F + Send + Sync + 'static,
) -> Hook {
    Box::new(move |number, myself| run(number, myself).boxed())
}

struct Scripted;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Scripted {
    type Msg = Ask;
    type State = ScriptedState;
    type Arguments = Arc<Script>;

    async fn pre_start(
        &self,
        myself: ActorRef<Ask>,
        script: Arc<Script>,
    ) -> Result<ScriptedState, ActorProcessingErr> {
        let number = script.log.incarnations.fetch_add(1, Ordering::SeqCst) + 1;
        let running = script.log.running.fetch_add(1, Ordering::SeqCst) + 1;
        script.log.most_running.fetch_max(running, Ordering::SeqCst);
        let state = ScriptedState { number, script };
        (state.script.pre_start)(number, myself).await?;
        Ok(state)
    }

    async fn post_start(&self, myself: ActorRef<Ask>, state: &mut ScriptedState) -> Done {
        (state.script.post_start)(state.number, myself).await
    }

    async fn handle(&self, _: ActorRef<Ask>, ask: Ask, state: &mut ScriptedState) -> Done {
        match ask {
            Ask::Fail => return Err("it was told to".into()),
            Ask::Hold(_held, reply) => {
                reply.send(())?;
                std::future::pending::<()>().await;
            }
            Ask::Panic => panic!("it was told to"),
            Ask::Who(reply) => {
                state.write("answers");
                let _gave_up_waiting = reply.send(state.number);
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Ask>,
        event: SupervisionEvent,
        state: &mut ScriptedState,
    ) -> Done {
        if !matches!(event, SupervisionEvent::ActorStarted(_)) {
            state.write("lost a linked actor");
        }
        Ok(())
    }

    async fn post_stop(&self, myself: ActorRef<Ask>, state: &mut ScriptedState) -> Done {
        state.write("stops");
        (state.script.post_stop)(state.number, myself).await
    }
}

struct ScriptedState {
    number: u64,
    script: Arc<Script>,
}

impl ScriptedState {
    fn write(&self, what: &str) {
        self.script.log.write(format!("{} {what}", self.number));
    }
}

impl Drop for ScriptedState {
    fn drop(&mut self) {
        (self.script.on_drop)(self.number);
        self.script.log.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An actor to link that does nothing.
pub(super) struct Idle;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Idle {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Done {
        Ok(())
    }
}

/// Panics when it is dropped.
pub(super) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("panicked when dropped");
    }
}
