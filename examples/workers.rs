//! A pool of workers that panic, hang and are killed, and callers who always get
//! an answer.
//!
//! Goroutines that take jobs from a channel, said in actors: each worker is a
//! ractor actor under a supervisor, jobs are messages, and a breaker stands in
//! front of the pool. A crash costs the job in hand and nothing else; address and
//! queue survive it. What hangs is found by a watchdog, which is a supervised
//! task, and restarted in place.
//!
//! ```text
//! cargo run --example workers
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use breakerbox::{
    AskError, Backoff, Breaker, BreakerBox, BreakerConfig, CallError, CancellationToken, Child,
    ChildSpec, Event, OnLimit, Phase, Ratio, RestartIntensity, Shutdown, Strategy, Supervisor,
    SupervisorSpec, TripPolicy, WeakBreaker, Window,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::task::JoinSet;

const JOBS: u64 = 600;
const WORKERS: [&str; 4] = ["anna", "boris", "chloe", "dmitri"];

/// Opens when half of the jobs fail, and looks again soon: workers come back.
const POOL: BreakerConfig = BreakerConfig::new()
    .trip_on(TripPolicy::failure_rate(Ratio::percent(50), 20))
    .window(Window::rolling(Duration::from_secs(1), 10))
    .open_for(Backoff::fixed(Duration::from_millis(100)))
    .probes(3);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // The panics are part of the show; their messages are not.
    std::panic::set_hook(Box::new(|_| {}));
    let breakers = BreakerBox::start("thumbnails").await?;
    let pool = breakers.breaker("pool", POOL).await?;
    let weak = pool.downgrade();
    let herald = ChildSpec::task("herald", move |stop| announce(weak.clone(), stop));
    breakers.supervisor().add(herald).await?;
    let workers = start_workers().await?;
    println!("before\n{}\n", workers.snapshot());

    let answers = send_jobs(&pool, &workers).await?;
    all_up(&workers).await;
    println!("after {JOBS} jobs\n{}\n", workers.snapshot());
    for (answer, count) in &answers {
        println!("{count:>5} {answer}");
    }
    let answered: u64 = answers.values().sum();
    println!("{answered:>5} callers of {JOBS} got an answer");

    let report = workers.shutdown().await;
    breakers.shutdown().await;
    println!(
        "{} of {} children stopped by themselves",
        stopped(&report),
        report.stopped.len()
    );
    let all_well = answered == JOBS && report.unclean().count() == 0;
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn start_workers() -> Result<Supervisor, Box<dyn Error>> {
    let mut spec = SupervisorSpec::new("workers", Strategy::OneForOne)
        .intensity(RestartIntensity::new(1_000, Duration::from_secs(1)));
    for name in WORKERS {
        let renderer: Arc<dyn Renderer> = match name {
            "dmitri" => Arc::new(Careful),
            _ => Arc::new(Careless),
        };
        let worker = ChildSpec::actor(name, move || (Worker, Arc::clone(&renderer)));
        // A worker that only ever crashes pauses, and spoils nothing for others.
        let own = RestartIntensity::new(100, Duration::from_secs(1));
        let pause = OnLimit::Pause(Backoff::fixed(Duration::from_millis(200)));
        let patience = Shutdown::Within(Duration::from_millis(50));
        spec = spec.child(worker.intensity(own, pause).shutdown(patience));
    }
    let workers = spec.start().await?;
    let watched = Watched::of(&workers)?;
    let watchdog = ChildSpec::task("watchdog", move |stop| watched.clone().watch(stop));
    workers.add(watchdog).await?;
    Ok(workers)
}

/// Says when the breaker opens and closes.
///
/// It is a child of the box's own tree, which a strong handle would keep alive from
/// within.
async fn announce(pool: WeakBreaker, stop: CancellationToken) -> Result<(), &'static str> {
    let pool = pool.upgrade().ok_or("the breaker has been removed")?;
    let mut events = pool.events();
    drop(pool);
    while let Some(Some(event)) = stop.run_until_cancelled(events.next()).await {
        if let Event::Changed { transition, .. } = event {
            println!("the breaker is {}: {}", transition.to, transition.reason);
        }
    }
    Ok(())
}

/// Sends all jobs, a few at a time; counts what the callers were told.
async fn send_jobs(
    pool: &Breaker,
    workers: &Supervisor,
) -> Result<BTreeMap<&'static str, u64>, Box<dyn Error>> {
    let mut callers = JoinSet::new();
    for (job, name) in (0..JOBS).zip(WORKERS.iter().cycle()) {
        let worker = workers.child::<Job>(name)?;
        callers.spawn(call(pool.clone(), worker.clone(), job));
        if job % 150 == 75 {
            // As a bug in somebody else's code might.
            worker.actor().kill();
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let mut answers = BTreeMap::new();
    while let Some(answer) = callers.join_next().await {
        *answers.entry(answer?).or_default() += 1;
    }
    Ok(answers)
}

/// One caller, who is told something whatever happens.
async fn call(pool: Breaker, worker: Child<Job>, number: u64) -> &'static str {
    let job = |reply| Job::Render(number, reply);
    let asked = pool
        .ask(&worker.actor(), job, Duration::from_millis(250))
        .await;
    match asked {
        Ok(_thumbnail) => "thumbnails",
        Err(CallError::Failed(AskError::TimedOut { .. })) => "timeouts: the worker hung",
        Err(CallError::Failed(_)) => "crashes: the worker died over the job, or before it",
        Err(CallError::Rejected(_)) => "rejections: the breaker was open",
        Err(_) => "other errors",
    }
}

async fn all_up(workers: &Supervisor) {
    let is_up = || {
        let children = workers.snapshot().children;
        children.iter().all(|child| child.status.phase == Phase::Up)
    };
    while !is_up() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn stopped(report: &breakerbox::Report) -> usize {
    report.stopped.len() - report.unclean().count()
}

/// What a worker is told.
enum Job {
    Ping(RpcReplyPort<()>),
    Render(u64, RpcReplyPort<String>),
}

struct Worker;

impl Actor for Worker {
    type Msg = Job;
    type State = Arc<dyn Renderer>;
    type Arguments = Arc<dyn Renderer>;

    async fn pre_start(
        &self,
        _: ActorRef<Job>,
        renderer: Arc<dyn Renderer>,
    ) -> Result<Arc<dyn Renderer>, ActorProcessingErr> {
        Ok(renderer)
    }

    async fn handle(
        &self,
        _: ActorRef<Job>,
        job: Job,
        renderer: &mut Arc<dyn Renderer>,
    ) -> Result<(), ActorProcessingErr> {
        match job {
            Job::Ping(reply) => drop(reply.send(())),
            // The caller has left, so nobody wants it any more.
            Job::Render(_, reply) if reply.is_closed() => {}
            Job::Render(number, reply) => {
                let thumbnail = renderer.render(number).await;
                let _caller_left_meanwhile = reply.send(thumbnail);
            }
        }
        Ok(())
    }
}

/// What does the work; a trait object, so that a worker can be given any.
#[async_trait]
trait Renderer: Send + Sync + 'static {
    async fn render(&self, picture: u64) -> String;
}

/// Refuses what it cannot render.
struct Careful;

#[async_trait]
impl Renderer for Careful {
    async fn render(&self, picture: u64) -> String {
        tokio::time::sleep(Duration::from_millis(2)).await;
        format!("thumbnail of {picture}")
    }
}

/// Panics over some pictures, and never finishes others.
struct Careless;

#[async_trait]
impl Renderer for Careless {
    async fn render(&self, picture: u64) -> String {
        assert!(!picture.is_multiple_of(29), "picture {picture} is broken");
        if picture.is_multiple_of(101) {
            std::future::pending::<()>().await;
        }
        Careful.render(picture).await
    }
}

/// Looks after workers that hang.
#[derive(Clone)]
struct Watched {
    supervisor: Supervisor,
    workers: Vec<Child<Job>>,
}

impl Watched {
    fn of(supervisor: &Supervisor) -> Result<Self, Box<dyn Error>> {
        let workers: Result<Vec<_>, _> =
            WORKERS.iter().map(|name| supervisor.child(name)).collect();
        Ok(Self {
            supervisor: supervisor.clone(),
            workers: workers?,
        })
    }

    /// Asks each worker now and then, and restarts those that do not answer.
    async fn watch(self, stop: CancellationToken) -> Result<(), AskError> {
        let mut rounds = tokio::time::interval(Duration::from_millis(50));
        while stop.run_until_cancelled(rounds.tick()).await.is_some() {
            for worker in &self.workers {
                let alive = worker.ask(Job::Ping, Duration::from_millis(100)).await;
                if let Err(AskError::TimedOut { .. }) = alive {
                    // An error means that it was restarted, or stopped, meanwhile.
                    let _restarted = self.supervisor.restart(worker.name()).await;
                }
            }
        }
        Ok(())
    }
}
