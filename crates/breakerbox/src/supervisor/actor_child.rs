use std::sync::{Arc, Mutex};

use breakerbox_core::{Exit, Incarnation};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{Actor, ActorCell};

use super::recipe::Recipe;
use super::runnable::{EndRequest, Runnable, StartRequest, StopResult, former_is_stuck};
use super::shell::{Former, Make, Ordered, ShellHandle, StartOrder};
use super::{ChildKind, Departure, Scope};
use crate::{clock, lock};

/// A child that is a ractor actor, made anew for each incarnation.
pub(super) struct ActorChild<A: Actor> {
    make: Recipe<Make<A>>,
    shells: Mutex<Shells<A>>,
}

/// The shells of a child, one after another: each starts when the former has ended.
struct Shells<A: Actor> {
    latest: Option<ShellHandle<A>>,
    /// What is to be started as soon as the latest shell has ended.
    next: Option<StartRequest>,
    /// The one that handles lead to.
    up: Option<ShellHandle<A>>,
}

impl<A: Actor> ActorChild<A> {
    pub(super) fn new(make: impl Fn() -> (A, A::Arguments) + Send + Sync + 'static) -> Self {
        Self::of(Arc::new(move |_: &mut dyn FnMut() -> Scope<A::Msg>| make()))
    }

    /// One whose incarnations each have a scope.
    pub(super) fn with_scope(
        make: impl Fn(Scope<A::Msg>) -> (A, A::Arguments) + Send + Sync + 'static,
    ) -> Self {
        Self::of(Arc::new(move |open: &mut dyn FnMut() -> Scope<A::Msg>| {
            make(open())
        }))
    }

    fn of(make: Arc<Make<A>>) -> Self {
        Self {
            make: Recipe::new(make),
            shells: Mutex::new(Shells {
                latest: None,
                next: None,
                up: None,
            }),
        }
    }

    fn latest(&self) -> Option<ShellHandle<A>> {
        lock::with(&self.shells, |shells| shells.latest.clone())
    }

    /// Spawns a shell, which starts the incarnation.
    fn spawn_shell(&self, request: StartRequest, former: Former) {
        let Some(order) = self.order(&request, former) else {
            return;
        };
        let StartRequest { notifier, .. } = request;
        let told = notifier.clone();
        let spawned = ShellHandle::spawn(
            order,
            notifier,
            request.bell,
            request.address,
            request.stop_timeout,
        );
        match spawned {
            Ok(shell) => {
                let former = lock::with(&self.shells, |shells| shells.latest.replace(shell));
                drop(former);
            }
            Err(error) => {
                let exit = Exit::init_failed(error.to_string());
                told.exited(request.incarnation, exit);
            }
        }
    }

    /// None, and the supervisor is told, if there are to be no more incarnations.
    fn order(&self, request: &StartRequest, former: Former) -> Option<StartOrder<A>> {
        let Some(make) = self.make.get() else {
            request.notifier.exited(request.incarnation, Exit::Killed);
            return None;
        };
        Some(StartOrder {
            by: clock::after(request.start_time.alone()).into(),
            former,
            incarnation: request.incarnation,
            make,
        })
    }
}

impl<A: Actor> Runnable for ActorChild<A> {
    /// In the latest shell, or in a new one if that has ended or is about to.
    fn start(self: Arc<Self>, request: StartRequest) {
        let Some(latest) = self.latest() else {
            return self.spawn_shell(request, Former::Ended);
        };
        if latest.is_open() {
            let Some(order) = self.order(&request, Former::Ended) else {
                return;
            };
            if latest.run(order) != Ordered::Refused {
                return;
            }
        }
        // Under the lock, or its end could be missed.
        let request = lock::with(&self.shells, |shells| {
            if latest.has_ended() {
                return Some(request);
            }
            shells.next = Some(request);
            None
        });
        if let Some(request) = request {
            self.spawn_shell(request, latest.as_former());
        }
    }

    fn came_up(&self) {
        let former = lock::with(&self.shells, |shells| {
            std::mem::replace(&mut shells.up, shells.latest.clone())
        });
        drop(former);
    }

    fn abort_start(&self, incarnation: Incarnation, exit: Exit) {
        let (latest, waiting) = lock::with(&self.shells, |shells| {
            (shells.latest.clone(), shells.next.take())
        });
        if let Some(request) = waiting {
            request.notifier.exited(incarnation, former_is_stuck());
        } else if let Some(shell) = latest {
            shell.abort(incarnation, exit);
        }
    }

    fn end_incarnation(self: Arc<Self>, request: EndRequest) {
        let (latest, waiting) = lock::with(&self.shells, |shells| {
            (shells.latest.clone(), shells.next.take())
        });
        match latest {
            Some(shell) if waiting.is_none() && !shell.has_ended() => {
                shell.end_incarnation(request.incarnation, request.shutdown);
            }
            _ => request.notifier.exited(request.incarnation, Exit::Normal),
        }
    }

    fn wait(&self) {
        if let Some(shell) = self.latest() {
            shell.wait();
        }
    }

    fn stop(self: Arc<Self>, request: EndRequest) {
        let is_left = lock::with(&self.shells, |shells| {
            shells.next = None;
            shells.latest.clone().filter(|shell| !shell.has_ended())
        });
        match is_left {
            Some(shell) => shell.stop(request.shutdown),
            None => {
                let result = StopResult::new(Departure::Stopped, Exit::Normal);
                request.notifier.stopped(request.incarnation, result);
            }
        }
    }

    /// A shell that has ended meanwhile says that itself.
    fn hasten_stop(self: Arc<Self>, request: EndRequest) {
        if let Some(shell) = self.latest().filter(|shell| !shell.has_ended()) {
            shell.stop(request.shutdown);
        }
    }

    fn shell_ended(&self, shell: Incarnation) -> bool {
        let (is_latest, next) = lock::with(&self.shells, |shells| {
            let is = |latest: &ShellHandle<A>| latest.number() == shell;
            let is_latest = shells.latest.as_ref().is_some_and(is);
            (is_latest, shells.next.take_if(|_| is_latest))
        });
        let Some(request) = next else {
            return is_latest;
        };
        let former = self.latest().map_or(Former::Ended, |it| it.as_former());
        self.spawn_shell(request, former);
        false
    }

    fn gone(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move {
            if let Some(shell) = self.latest() {
                shell.ended().await;
            }
        }
        .boxed()
    }

    fn discard_recipe(&self) {
        self.make.discard();
    }

    fn kill(&self) {
        let latest = lock::with(&self.shells, |shells| {
            shells.next = None;
            shells.latest.clone()
        });
        if let Some(shell) = latest {
            shell.kill();
        }
    }

    fn kind(&self) -> ChildKind {
        ChildKind::Actor
    }

    fn shell(&self) -> Option<ActorCell> {
        lock::with(&self.shells, |shells| Some(shells.up.as_ref()?.cell()))
    }
}
