//! Takes one way through a breaker so many times, for callgrind to count.
//!
//! `instructions <closed|call|open|failing> <calls>`, by `.ci/instructions`.

use breakerbox_bench::guards::{AsyncGuard, Boxed, ByHand, Guard, Shape, Shop};
use breakerbox_bench::work::{FiveThenOne, Pattern};
use tokio::runtime::Builder;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [path, calls] = words.as_slice() else {
        panic!("expected a path and a number of calls")
    };
    let calls = calls.parse().expect("the second word is a number");
    // The owner shares this thread, so it does nothing while calls are counted.
    let runtime = Builder::new_current_thread().enable_all().build();
    let shop = Shop::new(runtime.expect("the system gives a runtime"));
    match path.as_str() {
        "call" => {
            let mut guard = Boxed(shop.breaker(Shape::LastHundred));
            shop.runtime().block_on(async {
                for _ in 0..calls {
                    guard.call(false).await;
                }
            });
        }
        "closed" => run(&ByHand(shop.breaker(Shape::LastHundred)), calls, |_| false),
        "failing" => run(
            &ByHand(shop.breaker(Shape::InARow(6))),
            calls,
            FiveThenOne::fails,
        ),
        "open" => run(&ByHand(shop.open()), calls, |_| false),
        other => panic!("unknown path {other:?}"),
    }
}

fn run(guard: &impl Guard, calls: u64, fails: fn(u64) -> bool) {
    for call in 0..calls {
        guard.run(fails(call));
    }
}
