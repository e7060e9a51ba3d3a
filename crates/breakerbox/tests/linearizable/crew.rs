use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;

use breakerbox::{Breaker, Outcome, RejectReason};
use tokio::runtime::Handle;

use super::plan::Step;

/// Something a thread did, and when it began and ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) did: Did,
    pub(crate) began: u64,
    /// `u64::MAX` if nobody waited for it.
    pub(crate) ended: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Did {
    /// Asked for leave and got it, or why not.
    Acquire(Option<RejectReason>),
    /// Settled the operation of this number.
    Settle(usize, Outcome),
}

/// Four threads that wait for programs to run at the same time.
pub(crate) struct Crew {
    done: Receiver<(usize, Vec<Operation>)>,
    tell: Vec<Sender<(Vec<Step>, u64)>>,
}

impl Crew {
    pub(crate) fn of_four(breaker: &Breaker) -> Self {
        let (report, done) = channel();
        let clock = Arc::new(AtomicU64::new(0));
        let start = Arc::new(Barrier::new(4));
        let tell = (0..4).map(|number| {
            let (tell, told) = channel();
            let mut member = Member {
                breaker: breaker.clone(),
                clock: Arc::clone(&clock),
                operations: Vec::new(),
                rng: fastrand::Rng::with_seed(0),
                runtime: Handle::current(),
            };
            let (report, start) = (report.clone(), Arc::clone(&start));
            thread::spawn(move || {
                for (program, seed) in told {
                    start.wait();
                    let operations = member.run(program, seed + number as u64);
                    report.send((number, operations)).unwrap();
                }
            });
            tell
        });
        Self {
            tell: tell.collect(),
            done,
        }
    }

    /// Runs a program on each thread and returns all that they did.
    pub(crate) fn run(self, programs: [Vec<Step>; 4], seed: u64) -> (Self, Vec<Operation>) {
        for (tell, program) in self.tell.iter().zip(programs) {
            tell.send((program, seed)).unwrap();
        }
        let mut all: Vec<Operation> = Vec::new();
        for (_, operations) in self.done.iter().take(self.tell.len()) {
            let before = all.len();
            all.extend(operations.into_iter().map(|it| it.moved_by(before)));
        }
        (self, all)
    }
}

impl Operation {
    fn moved_by(self, places: usize) -> Self {
        let did = match self.did {
            Did::Settle(acquired, outcome) => Did::Settle(acquired + places, outcome),
            acquired @ Did::Acquire(_) => acquired,
        };
        Self { did, ..self }
    }
}

struct Member {
    breaker: Breaker,
    clock: Arc<AtomicU64>,
    operations: Vec<Operation>,
    rng: fastrand::Rng,
    runtime: Handle,
}

impl Member {
    fn run(&mut self, program: Vec<Step>, seed: u64) -> Vec<Operation> {
        // The paused clock of the owner's runtime is this thread's clock too.
        let runtime = self.runtime.clone();
        let _entered = runtime.enter();
        self.rng.seed(seed);
        for step in program {
            self.dawdle();
            match step {
                Step::Call(outcome) => self.call(outcome, true),
                Step::Forget(outcome) => self.call(outcome, false),
                Step::Kill => self.breaker.actor().kill(),
            }
        }
        std::mem::take(&mut self.operations)
    }

    fn call(&mut self, outcome: Outcome, waits: bool) {
        let breaker = self.breaker.clone();
        let began = self.tick();
        let permit = breaker.try_acquire();
        let refused = permit.as_ref().err().map(breakerbox::Rejected::reason);
        self.note(Did::Acquire(refused), began);
        let Ok(permit) = permit else { return };
        let acquired = self.operations.len() - 1;
        self.dawdle();
        let began = self.tick();
        let decision = permit.settle(outcome);
        if waits {
            self.runtime.block_on(decision);
        }
        self.note(Did::Settle(acquired, outcome), began);
        if !waits {
            self.operations[acquired + 1].ended = u64::MAX;
        }
    }

    fn note(&mut self, did: Did, began: u64) {
        let ended = self.tick();
        self.operations.push(Operation { did, began, ended });
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Loses a random amount of time, mostly very little.
    fn dawdle(&mut self) {
        match self.rng.u8(..8) {
            0 => thread::yield_now(),
            1..=3 => {}
            magnitude => {
                for _ in 0..self.rng.u32(..1 << (2 * magnitude - 4)) {
                    std::hint::spin_loop();
                }
            }
        }
    }
}
