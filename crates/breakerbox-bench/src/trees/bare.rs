use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::{Echo, Grows, Question, Tree};

/// Bare ractor actors, linked to one that only hears of them.
///
/// Nobody starts them again. They are stopped in reverse order, each when the next is
/// gone, as ours are.
pub struct Bare {
    children: Vec<ActorRef<Question>>,
    parent: ActorRef<()>,
}

impl Tree for Bare {
    type Child = ActorRef<Question>;

    async fn start(children: usize) -> Self {
        let (parent, _task) = Actor::spawn(None, Parent, ()).await.expect("it starts");
        let mut tree = Self {
            children: Vec::new(),
            parent,
        };
        for _ in 0..children {
            tree.add().await;
        }
        tree
    }

    async fn stop(mut self) {
        while !self.children.is_empty() {
            self.remove().await;
        }
        let stopped = self.parent.stop_and_wait(None, None).await;
        stopped.expect("nobody else stops it");
    }

    fn first(&self) -> ActorRef<Question> {
        self.children[0].clone()
    }
}

impl Grows for Bare {
    async fn add(&mut self) {
        let spawned = Actor::spawn_linked(None, Echo, (), self.parent.get_cell()).await;
        let (child, _task) = spawned.expect("an actor starts");
        self.children.push(child);
    }

    async fn remove(&mut self) {
        let youngest = self.children.pop().expect("it was added");
        let stopped = youngest.stop_and_wait(None, None).await;
        stopped.expect("nobody else stops it");
    }
}

struct Parent;

impl Actor for Parent {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
