use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use breakerbox::{ChildSpec, OnLimit, RestartIntensity, Strategy, Supervisor, SupervisorSpec};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::runtime::Runtime;

use super::Row;
use crate::guards::{Shape, Shop};
use crate::machine;
use crate::stopwatch::middle_and_tail;

pub(super) fn add(rows: &mut Vec<Row>) {
    for kind in [ACTOR, CHILD, BREAKER] {
        rows.push(Row::one(MEMORY, kind, move |_, _| memory(kind)));
    }
    rows.push(Row::one(
        TIMES,
        "a question to a bare actor",
        |shop, span| {
            let bare = Actor::spawn(None, Echo, ());
            let (actor, _task) = shop.runtime().block_on(bare).expect("an actor starts");
            question(shop.runtime(), span, &actor)
        },
    ));
    rows.push(Row::one(
        TIMES,
        "a question through the shell",
        |shop, span| {
            let supervisor = shop.runtime().block_on(supervised(1));
            let child = supervisor.child("0").expect("it was declared");
            question(shop.runtime(), span, &child.actor())
        },
    ));
    rows.push(Row::one(
        TIMES,
        "crash to restarted, in place",
        |shop, _| crash(shop.runtime()),
    ));
}

/// Prints how many bytes an instance of this kind takes, in a process of its own.
pub fn memory_of(kind: &str) {
    let shop = Shop::new(machine::two_workers());
    let _warm = shop.breaker(Shape::HalfOfTwenty);
    let before = machine::resident();
    match kind {
        ACTOR => {
            let runtime = shop.runtime();
            let spawn = || runtime.block_on(Actor::spawn(None, Echo, ()));
            let actors: Vec<_> = (0..INSTANCES).map(|_| spawn()).collect();
            report(before);
            drop(actors);
        }
        CHILD => {
            let supervisor = shop.runtime().block_on(supervised(INSTANCES));
            report(before);
            drop(supervisor);
        }
        _ => {
            let make = || shop.breaker(Shape::HalfOfTwenty);
            let breakers: Vec<_> = (0..INSTANCES).map(|_| make()).collect();
            report(before);
            drop(breakers);
        }
    }
}

fn report(before: u64) {
    println!("{}", (machine::resident() - before) / INSTANCES as u64);
}

fn memory(kind: &str) -> f64 {
    let own = std::env::current_exe().expect("a process knows its program");
    let output = Command::new(own).args(["--memory", kind]).output();
    let bytes = output.expect("it runs once more").stdout;
    let bytes = String::from_utf8_lossy(&bytes);
    bytes.trim().parse().unwrap_or(f64::NAN)
}

async fn supervised(children: usize) -> Supervisor {
    let every = RestartIntensity::new(u32::MAX, Duration::from_secs(1));
    let mut spec = SupervisorSpec::new("bench", Strategy::OneForOne).intensity(every);
    for child in 0..children {
        let child = ChildSpec::actor(child.to_string(), || (Echo, ()));
        spec = spec.child(child.intensity(every, OnLimit::StopChild));
    }
    spec.start().await.expect("a supervisor starts")
}

/// The median time that a question takes, asked by a task on a worker.
fn question(runtime: &Runtime, span: Duration, actor: &ActorRef<Question>) -> f64 {
    let actor = actor.clone();
    let task = runtime.spawn(async move {
        let (begun, mut took) = (Instant::now(), Vec::new());
        while begun.elapsed() < span {
            let asked = Instant::now();
            let _answer = actor.call(Question::Echo, None).await;
            took.push(asked.elapsed());
        }
        took
    });
    let took = runtime.block_on(task).expect("a question does not panic");
    middle_and_tail(took)[0]
}

/// The median time from where an actor returns an error to its next `pre_start`.
fn crash(runtime: &Runtime) -> f64 {
    let supervisor = runtime.block_on(supervised(1));
    let actor = supervisor.child("0").expect("it was declared").actor();
    RESTARTS.lock().expect("nobody panics with it").clear();
    runtime.block_on(async {
        for _ in 0..CRASHES {
            let _lost = actor.call(Question::Crash, None).await;
            let _alive = actor.call(Question::Echo, None).await;
        }
    });
    let restarts = RESTARTS.lock().expect("nobody panics with it");
    let gaps = restarts
        .iter()
        .filter_map(|(crash, start)| Some(start.as_ref()?.duration_since(*crash)));
    middle_and_tail(gaps.collect())[0]
}

/// An actor that answers, and crashes when asked to.
struct Echo;

enum Question {
    Crash(RpcReplyPort<()>),
    Echo(RpcReplyPort<()>),
}

impl Actor for Echo {
    type Msg = Question;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Question>, (): ()) -> Result<(), ActorProcessingErr> {
        let now = Instant::now();
        if let Some((_, start @ None)) = RESTARTS.lock().expect("nobody panics with it").last_mut()
        {
            *start = Some(now);
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Question>,
        question: Question,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match question {
            Question::Crash(_unanswered) => {
                let mut restarts = RESTARTS.lock().expect("nobody panics with it");
                restarts.push((Instant::now(), None));
                Err("asked to".into())
            }
            Question::Echo(reply) => {
                let _nobody_waits = reply.send(());
                Ok(())
            }
        }
    }
}

/// When an actor crashed, and when it was back.
static RESTARTS: Mutex<Vec<(Instant, Option<Instant>)>> = Mutex::new(Vec::new());

const ACTOR: &str = "a bare ractor actor";
const BREAKER: &str = "a breaker, all told";
const CHILD: &str = "a supervised actor in its shell";
const CRASHES: usize = 500;
const INSTANCES: usize = 10_000;
const MEMORY: &str = "Memory, idle, bytes each of 10,000";
const TIMES: &str = "Actors and supervision";
