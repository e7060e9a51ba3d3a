//! ractor's factories, which rely on their own end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ractor::factory::queues::DefaultQueue;
use ractor::factory::routing::QueuerRouting;
use ractor::factory::{
    Factory, FactoryArguments, FactoryMessage, FactoryRef, Job, Worker, WorkerCapacityController,
    WorkerId, worker_builder,
};
use ractor::{ActorProcessingErr, RpcReplyPort};

use super::{SECOND, restarted, supervise, until};
use crate::supervisor::ChildSpec;

/// Asks for the square of its key.
struct Square(RpcReplyPort<u64>);

#[cfg(feature = "cluster")]
impl ractor::Message for Square {}

/// What all incarnations of a factory have done.
#[derive(Default)]
struct Done {
    /// How often a factory has looked at its pool, which it does ten times a second.
    looks: AtomicU64,
    must_fail: AtomicBool,
    /// How often each key was squared.
    squares: Mutex<BTreeMap<u64, u32>>,
}

struct Squarer(Arc<Done>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Worker for Squarer {
    type Key = u64;
    type Message = Square;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: WorkerId,
        _: &FactoryRef<u64, Square>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &FactoryRef<u64, Square>,
        job: Job<u64, Square>,
        (): &mut (),
    ) -> Result<u64, ActorProcessingErr> {
        *self.0.squares.lock().unwrap().entry(job.key).or_default() += 1;
        job.msg.0.send(job.key * job.key)?;
        Ok(job.key)
    }
}

/// Counts how often it is asked, and fails when it is told to.
struct Looks(Arc<Done>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl WorkerCapacityController for Looks {
    #[cfg(feature = "async-trait")]
    async fn get_pool_size(&mut self, current: usize) -> usize {
        self.look(current)
    }

    #[cfg(not(feature = "async-trait"))]
    fn get_pool_size(&mut self, current: usize) -> futures_util::future::BoxFuture<'_, usize> {
        Box::pin(async move { self.look(current) })
    }
}

impl Looks {
    fn look(&self, current: usize) -> usize {
        self.0.looks.fetch_add(1, Ordering::SeqCst);
        assert!(!self.0.must_fail.swap(false, Ordering::SeqCst), "told to");
        current
    }
}

type Squares =
    Factory<u64, Square, (), Squarer, QueuerRouting<u64, Square>, DefaultQueue<u64, Square>>;

fn factory(done: &Arc<Done>) -> ChildSpec {
    let done = Arc::clone(done);
    let make = move || {
        let worker = Arc::clone(&done);
        let arguments = FactoryArguments::builder()
            .worker_builder(Box::new(worker_builder(move |_| {
                (Squarer(Arc::clone(&worker)), ())
            })))
            .queue(DefaultQueue::default())
            .router(QueuerRouting::default())
            .num_initial_workers(3)
            .capacity_controller(Box::new(Looks(Arc::clone(&done))))
            .build();
        (Squares::default(), arguments)
    };
    ChildSpec::actor("factory", make).new_address()
}

/// R41: nine former incarnations go on with nothing.
#[tokio::test(start_paused = true)]
async fn r41_a_factory_with_new_addresses_works_once_after_nine_restarts() {
    let done = Arc::default();
    let supervisor = supervise([factory(&done)]).await;
    let mut events = supervisor.events();
    for restart in 1..=9 {
        if restart % 2 == 0 {
            supervisor.restart("factory").await.unwrap();
        } else {
            done.must_fail.store(true, Ordering::SeqCst);
        }
        until(&mut events, restarted).await;
    }
    let looks = done.looks.load(Ordering::SeqCst);
    tokio::time::sleep(SECOND * 99 / 10 + SECOND / 20).await;
    assert_eq!(done.looks.load(Ordering::SeqCst) - looks, 99);
    let child = supervisor.child::<FactoryMessage<u64, Square>>("factory");
    let factory = child.unwrap().actor();
    for key in 0..99 {
        let square = factory.call_job(key, Square, None).await.unwrap();
        assert_eq!(square.unwrap(), key * key);
    }
    let expected: BTreeMap<_, _> = (0..99).map(|key| (key, 1)).collect();
    assert_eq!(*done.squares.lock().unwrap(), expected);
    assert_eq!(supervisor.shutdown().await.unclean().count(), 0);
}
