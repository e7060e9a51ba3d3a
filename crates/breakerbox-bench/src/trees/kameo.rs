use std::time::Duration;

use ::kameo::actor::{Actor, ActorRef, Spawn};
use ::kameo::error::Infallible;
use ::kameo::mailbox;
use ::kameo::message::{Context, Message};
use ::kameo::supervision::RestartPolicy;

use super::{Caller, Grows, Tree};
use crate::crash_log;

/// kameo 0.22, whose children keep address and mailbox over a crash, as ours do.
///
/// Without its feature `tracing`, which costs it a span for each message, and with
/// unbounded mailboxes, as ractor's are. Its supervisor stops its children
/// all at once, in no order, and keeps an entry of each that was removed.
pub struct Kameo {
    children: Vec<ActorRef<Parrot>>,
    supervisor: ActorRef<Parent>,
}

impl Tree for Kameo {
    type Child = ActorRef<Parrot>;

    async fn start(children: usize) -> Self {
        let supervisor = Parent::spawn(());
        let mut started = Vec::new();
        for _ in 0..children {
            started.push(child(&supervisor).await);
        }
        for child in &started {
            child.wait_for_startup().await;
        }
        Self {
            children: started,
            supervisor,
        }
    }

    async fn stop(self) {
        let stopped = self.supervisor.stop_gracefully().await;
        stopped.expect("a supervisor lives");
        self.supervisor.wait_for_shutdown().await;
        for child in &self.children {
            child.wait_for_shutdown().await;
        }
    }

    fn first(&self) -> ActorRef<Parrot> {
        self.children[0].clone()
    }
}

impl Grows for Kameo {
    async fn add(&mut self) {
        let added = child(&self.supervisor).await;
        added.wait_for_startup().await;
        self.children.push(added);
    }

    async fn remove(&mut self) {
        let youngest = self.children.pop().expect("it was added");
        let stopped = youngest.stop_gracefully().await;
        stopped.expect("it lives");
        youngest.wait_for_shutdown().await;
    }
}

/// Transient, so that it stays away when it is stopped.
async fn child(supervisor: &ActorRef<Parent>) -> ActorRef<Parrot> {
    Parrot::supervise(supervisor, ())
        .restart_policy(RestartPolicy::Transient)
        .restart_limit(u32::MAX, Duration::from_secs(1))
        .spawn_with_mailbox(mailbox::unbounded())
        .await
}

/// Supervises one for one, as is kameo's default.
pub(super) struct Parent;

impl Actor for Parent {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// What [`Echo`](super::Echo) is, in kameo.
pub struct Parrot;

impl Actor for Parrot {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        crash_log::started();
        Ok(Self)
    }
}

impl Message<Crash> for Parrot {
    type Reply = Result<(), &'static str>;

    async fn handle(&mut self, _: Crash, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        crash_log::crashed();
        Err("asked to")
    }
}

impl Message<Echo> for Parrot {
    type Reply = ();

    async fn handle(&mut self, _: Echo, _: &mut Context<Self, ()>) {}
}

impl Caller for ActorRef<Parrot> {
    async fn ask(&self) {
        let answer = Self::ask(self, Echo).send().await;
        answer.expect("it answers");
    }

    /// An error is a crash only where nobody waits for the reply.
    async fn crash(&self) {
        let told = self.tell(Crash).send().await;
        told.expect("it takes messages");
    }
}

/// To return an error.
pub struct Crash;

/// To answer.
pub struct Echo;
