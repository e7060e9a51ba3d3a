use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc;
use std::thread;

use super::*;

/// Counts how often it was done.
fn counting(done: &Arc<AtomicU32>) -> Renewal<u8> {
    let done = Arc::clone(done);
    Renewal::new(Box::new(move |_| {
        done.fetch_add(1, Ordering::SeqCst);
    }))
}

#[test]
fn r64_it_is_done_once_before_the_probes_of_each_generation() {
    let done = Arc::new(AtomicU32::new(0));
    let renewal = counting(&done);
    // The last one is a probe that is late: of an opening that is over.
    for (generation, so_often) in [(2, 1), (2, 1), (4, 2), (4, 2), (7, 3), (4, 3)] {
        renewal.before_probe(Generation::new(generation), &0);
        assert_eq!(done.load(Ordering::SeqCst), so_often, "{generation}");
    }
}

#[test]
fn r64_a_probe_that_panics_in_it_leaves_it_to_the_next() {
    let done = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&done);
    let renewal = Renewal::<u8>::new(Box::new(move |_| {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        assert!(nth > 0, "as it was told");
    }));
    let first = || renewal.before_probe(Generation::new(2), &0);
    assert!(catch_unwind(AssertUnwindSafe(first)).is_err());
    renewal.before_probe(Generation::new(2), &0);
    renewal.before_probe(Generation::new(2), &0);
    assert_eq!(done.load(Ordering::SeqCst), 2);
}

#[test]
fn r64_of_two_probes_side_by_side_none_goes_on_before_it_is_done() {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let done = Arc::new(AtomicU32::new(0));
    let (count, may_go_on) = (Arc::clone(&done), std::sync::Mutex::new(may_go_on));
    let renewal = Renewal::<bool>::new(Box::new(move |is_first| {
        if *is_first {
            // The scheduler has taken the thread away just before it was done.
            begun.send(()).unwrap();
            may_go_on.lock().unwrap().recv().unwrap();
        }
        count.fetch_add(1, Ordering::SeqCst);
    }));
    thread::scope(|scope| {
        // Dropped if this fails, and then the other thread stops waiting.
        let go_on = go_on;
        scope.spawn(|| renewal.before_probe(Generation::new(2), &true));
        has_begun.recv().unwrap();
        renewal.before_probe(Generation::new(2), &false);
        assert_eq!(done.load(Ordering::SeqCst), 1, "the second has done it");
        go_on.send(()).unwrap();
    });
    renewal.before_probe(Generation::new(2), &false);
    assert_eq!(done.load(Ordering::SeqCst), 2);
}
