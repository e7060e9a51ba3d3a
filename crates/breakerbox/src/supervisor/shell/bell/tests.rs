use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};

use super::{Bell, Origin};
use crate::lock;

/// An actor that counts what it hears of a bell.
struct Listener;

struct Question(RpcReplyPort<Heard>);

#[cfg(feature = "cluster")]
impl ractor::Message for Question {}

#[derive(Clone, Default)]
struct Heard {
    mark: u64,
    marks: u64,
    rings: u64,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Listener {
    type Msg = Question;
    type State = Heard;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<Heard, ActorProcessingErr> {
        Ok(Heard::default())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        Question(reply): Question,
        heard: &mut Heard,
    ) -> Result<(), ActorProcessingErr> {
        Ok(reply.send(heard.clone())?)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        heard: &mut Heard,
    ) -> Result<(), ActorProcessingErr> {
        match Origin::of(&event) {
            Origin::Bell => heard.rings += 1,
            Origin::Mark(number) => {
                // Each once, unless it is told twice; never another one in between.
                assert!([heard.mark, heard.mark + 1].contains(&number), "{number}");
                heard.marks += u64::from(number > heard.mark);
                heard.mark = number;
            }
            Origin::User => panic!("{event:?} is of nobody"),
        }
        Ok(())
    }
}

/// R42: whoever kills a shell kills what is linked to it at that moment, and that may be
/// the bell of all its siblings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r42_a_shell_hears_its_bell_though_that_is_killed_for_another_one() {
    const TIMES: u64 = 60_000;
    let bell = Arc::new(Bell::default());
    let (listener, _task) = Listener::spawn(None, Listener, ()).await.unwrap();
    let killed = Arc::clone(&bell);
    let killer = tokio::spawn(async move {
        while Arc::strong_count(&killed) > 1 {
            if let Some(actor) = lock::with(&killed.actor, |actor| actor.clone()) {
                actor.kill();
            }
            tokio::task::yield_now().await;
        }
    });
    let shell = listener.get_cell();
    for number in 1..=TIMES {
        assert!(bell.wake(&shell), "wake {number} was lost");
        assert!(bell.mark(&shell, number), "mark {number} was lost");
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    drop(bell);
    killer.await.unwrap();
    let heard = ractor::call!(listener, Question).unwrap();
    assert!(heard.rings >= TIMES);
    assert_eq!((heard.marks, heard.mark), (TIMES, TIMES));
    listener.stop(None);
}
