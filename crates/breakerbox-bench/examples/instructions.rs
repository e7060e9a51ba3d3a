//! Takes one way through a breaker so many times, for callgrind to count.
//!
//! `instructions <path> <calls>`, by `.ci/instructions`: `call`, `closed`, `failing` and
//! `open` are of a breaker; `pick`, `pool` and `service` of a pool of ten endpoints, the
//! last one over HTTP; `layer` is of a breaker's middleware.

use breakerbox_bench::guards::{
    AsyncGuard, AtOnce, Boxed, ByHand, Guard, InPool, Picks, Requests, Shape, Shop,
};
use breakerbox_bench::work::{FiveThenOne, Pattern};
use breakerbox_tower::{BreakerLayer, Http, PoolService};
use http::Uri;
use tokio::runtime::Builder;
use tower::Layer;

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
        "call" => ask(&shop, Boxed(shop.breaker(Shape::LastHundred)), calls),
        "closed" => run(&ByHand(shop.breaker(Shape::LastHundred)), calls, |_| false),
        "failing" => run(
            &ByHand(shop.breaker(Shape::InARow(6))),
            calls,
            FiveThenOne::fails,
        ),
        "layer" => {
            let layer = BreakerLayer::new(shop.breaker(Shape::HalfOfTwenty), Http);
            ask(&shop, requests(layer.layer(AtOnce)), calls);
        }
        "open" => run(&ByHand(shop.open()), calls, |_| false),
        "pick" => run(&Picks::of(10), calls, |_| false),
        "pool" => ask(&shop, InPool(shop.pool(10)), calls),
        "service" => {
            let service = PoolService::new(shop.pool_of([AtOnce; 10]), Http);
            ask(&shop, requests(service), calls);
        }
        other => panic!("unknown path {other:?}"),
    }
}

fn run(guard: &impl Guard, calls: u64, fails: fn(u64) -> bool) {
    for call in 0..calls {
        guard.run(fails(call));
    }
}

fn ask(shop: &Shop, mut guard: impl AsyncGuard, calls: u64) {
    shop.runtime().block_on(async {
        for _ in 0..calls {
            guard.call(false).await;
        }
    });
}

fn requests<S>(service: S) -> Requests<S> {
    Requests {
        service,
        uri: Uri::from_static("/"),
    }
}
