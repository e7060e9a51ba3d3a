//! The table of docs/failover.md, row by row.

use std::fmt::Write;
use std::time::Duration;

use breakerbox::{Override, Pool, PoolError, State};

use crate::upstream::{Answer, Upstream, classify};
use crate::{CONFIG, QUICK, breakers, settle};

/// What is wrong with north; south is well and in the next tier.
#[derive(Clone, Copy)]
enum Trouble {
    Answers(Answer),
    BothAreBusy,
    BothWereOpenedBy(Answer),
    BreakerIsOpen,
    BreakersAreForcedOpen,
    Disabled,
    Hangs,
    None,
}

/// How often a call may be made.
#[derive(Clone, Copy)]
enum Method {
    Call,
    Idempotent,
    Unsent,
}

const TROUBLES: [(&str, Trouble); 15] = [
    ("none", Trouble::None),
    (
        "it refuses connections",
        Trouble::Answers(Answer::RefusesConnections),
    ),
    ("it answers 500", Trouble::Answers(Answer::Errors)),
    ("it hangs up midway", Trouble::Answers(Answer::Fails)),
    (
        "it breaks off while its client has a part in it",
        Trouble::Answers(Answer::BreaksOff),
    ),
    ("it does not answer in time", Trouble::Hangs),
    (
        "it answers 503 with `Retry-After`",
        Trouble::Answers(Answer::Busy(SECOND)),
    ),
    (
        "it answers 400 or 429",
        Trouble::Answers(Answer::BadRequest),
    ),
    (
        "this process has no file or port left",
        Trouble::Answers(Answer::OutOfFiles),
    ),
    ("its breaker is open", Trouble::BreakerIsOpen),
    ("it is disabled or draining", Trouble::Disabled),
    (
        "both have answered 503 with `Retry-After`",
        Trouble::BothAreBusy,
    ),
    (
        "answers of 500 have opened the breakers of both",
        Trouble::BothWereOpenedBy(Answer::Errors),
    ),
    (
        "refused or broken connections or silence have opened the breakers of both",
        Trouble::BothWereOpenedBy(Answer::Fails),
    ),
    (
        "the breakers of both are forced open",
        Trouble::BreakersAreForcedOpen,
    ),
];

#[tokio::test(start_paused = true)]
async fn r53_the_failure_table_of_the_documentation_is_what_happens() {
    let mut table = String::from(
        "| what is wrong with north | `call` | `call_unsent` | `call_idempotent` | requests to north, south |\n\
         |---|---|---|---|---|\n",
    );
    for (what, trouble) in TROUBLES {
        let mut requests = Vec::new();
        write!(table, "| {what} |").unwrap();
        for method in [Method::Call, Method::Unsent, Method::Idempotent] {
            let (seen, asked) = happens(trouble, method).await;
            write!(table, " {seen} |").unwrap();
            requests.push(format!("{}, {}", asked[0], asked[1]));
        }
        writeln!(table, " {} |", requests.join("; ")).unwrap();
    }
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/failover.md");
    let document = std::fs::read_to_string(document).unwrap();
    assert!(
        document.contains(&table),
        "docs/failover.md should have:\n{table}"
    );
}

/// What the caller gets, and how often each upstream was asked.
async fn happens(trouble: Trouble, method: Method) -> (String, [u32; 2]) {
    let breakers = breakers().await;
    let [north, south] = ["north", "south"].map(Upstream::new);
    let config = CONFIG.breaker(QUICK.call_timeout(SECOND));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    let breaker_of = |endpoint| pool.breaker(endpoint).unwrap();
    let open = async |endpoint| {
        let breaker = breaker_of(endpoint);
        let forced = breaker.force(Override::forced_open("outage"));
        forced.await.unwrap();
    };
    match trouble {
        Trouble::Answers(answer) => north.set(answer),
        Trouble::BreakerIsOpen => open("north").await,
        Trouble::BothAreBusy => {
            [&north, &south]
                .into_iter()
                .for_each(|it| it.set(Answer::Busy(HOUR)));
            assert!(ask_idempotent(&pool).await.is_err());
        }
        Trouble::BothWereOpenedBy(answer) => {
            [&north, &south].into_iter().for_each(|it| it.set(answer));
            while breaker_of("north").state() != State::Open
                || breaker_of("south").state() != State::Open
            {
                assert!(ask_idempotent(&pool).await.is_err());
            }
        }
        Trouble::BreakersAreForcedOpen => {
            open("north").await;
            open("south").await;
        }
        Trouble::Disabled => assert!(pool.disable("north").await),
        Trouble::Hangs => north.takes(HOUR),
        Trouble::None => {}
    }
    settle().await;
    if let Trouble::BothAreBusy | Trouble::BothWereOpenedBy(_) = trouble {
        [&north, &south]
            .into_iter()
            .for_each(|it| it.set(Answer::Works));
    }
    let before = [north.asked(), south.asked()];
    let result = match method {
        Method::Call => pool.call_with(classify, Upstream::ask).await,
        Method::Idempotent => ask_idempotent(&pool).await,
        Method::Unsent => pool.call_unsent(classify, Upstream::ask).await,
    };
    let seen = match result {
        Ok(name) => format!("{name}'s answer"),
        Err(PoolError::Failed(_)) => "the error".to_owned(),
        Err(PoolError::Rejected(_)) => "rejected at once".to_owned(),
        Err(PoolError::TimedOut(_)) => "timed out".to_owned(),
        Err(other) => format!("{other:?}"),
    };
    (seen, [north.asked() - before[0], south.asked() - before[1]])
}

async fn ask_idempotent(pool: &Pool<Upstream>) -> Result<&'static str, PoolError<Answer>> {
    pool.call_idempotent_with(classify, Upstream::ask).await
}

const HOUR: Duration = Duration::from_secs(3_600);

const SECOND: Duration = Duration::from_secs(1);
