//! Who is judged when an exchange breaks: the server, or nobody.

#![cfg(test)]

mod client;
mod refusals;
mod upstream;
mod whose;

use breakerbox::{BreakerBox, BreakerConfig};
use breakerbox_tower::{BreakerLayer, Http, ReplayBody};
use http::{Request, Version};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};

use client::Ends::{Broken, Whole};
use client::Sends::{self, Get, Put};
use client::Step::{
    Answered, BreakUpload, Drop, End as ReadToEnd, EndUpload, Fails, Let, Read, Stall, Wait,
};
use client::{Caller, IDLE, Step};
use upstream::Does::{Begin, Break, End, Pause, Receive, Refuse, RefuseStream, Send, Truncate};
use upstream::{Does, Upstream};

/// What the breaker of the server counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Counts {
    Failed,
    Ignored,
    Succeeded,
}

use Counts::{Failed, Ignored, Succeeded};

/// A request, what its server does, what its client does, and who is judged.
type Row<'a> = (Sends, &'static [Does], &'a [Step], Counts);

#[tokio::test]
async fn r60_a_request_that_breaks_before_its_answer_judges_the_server_unless_it_was_being_sent() {
    let rows: [Row<'_>; 12] = [
        // The head of the request is sent, and there is nothing else to send.
        (Get, &[Break], &[Fails], Failed),
        (Get, &[RefuseStream], &[Fails], Failed),
        (Get, &[Pause, Break], &[Stall(5), Let, Fails], Failed),
        (Get, &[Pause], &[Drop], Ignored),
        // The upload is on its way.
        (Put, &[Break], &[Fails], Ignored),
        (Put, &[Receive(3), Break], &[Fails], Ignored),
        (
            Put,
            &[Receive(3), Pause, Break],
            &[Stall(5), Let, Fails],
            Ignored,
        ),
        (Put, &[Receive(3), Pause], &[BreakUpload, Fails], Ignored),
        (Put, &[Receive(3), Pause], &[Drop], Ignored),
        // It is refused, which is an answer.
        (
            Put,
            &[Receive(3), Refuse],
            &[Answered(413), ReadToEnd(Whole)],
            Succeeded,
        ),
        (
            Put,
            &[Refuse],
            &[Answered(413), ReadToEnd(Whole)],
            Succeeded,
        ),
        // All of it is sent.
        (
            Put,
            &[Receive(3), Pause, Break],
            &[EndUpload, Stall(1), Let, Fails],
            Failed,
        ),
    ];
    for row in rows {
        judges(Version::HTTP_11, row).await;
        // A server of HTTP/2 can say that it has not begun.
        judges(Version::HTTP_2, row).await;
    }
}

#[tokio::test]
async fn r60_an_answer_that_breaks_judges_the_server_unless_its_reader_has_stalled() {
    let rows: [Row<'_>; 14] = [
        // The reader waits when it breaks, or has only just read.
        (
            Get,
            HALF,
            &[Answered(200), Read, Let, ReadToEnd(Broken)],
            Failed,
        ),
        (
            Get,
            HALF,
            &[Answered(200), Read, Wait(5), Let, ReadToEnd(Broken)],
            Failed,
        ),
        (
            Get,
            STREAM,
            &[Answered(200), Read, Wait(5), Let, ReadToEnd(Broken)],
            Failed,
        ),
        (
            Get,
            &[Begin(Some(6)), Pause, Break],
            &[Answered(200), Let, ReadToEnd(Broken)],
            Failed,
        ),
        // The reader has not read for a while, at once or after a piece.
        (
            Get,
            HALF,
            &[Answered(200), Read, Stall(2), Let, ReadToEnd(Broken)],
            Ignored,
        ),
        (
            Get,
            HALF,
            &[Answered(200), Stall(2), Let, ReadToEnd(Broken)],
            Ignored,
        ),
        (
            Get,
            STREAM,
            &[Answered(200), Read, Stall(2), Let, ReadToEnd(Broken)],
            Ignored,
        ),
        // It has made up for that, or has not.
        (
            Get,
            HALF,
            &[
                Answered(200),
                Read,
                Stall(2),
                Wait(4),
                Let,
                ReadToEnd(Broken),
            ],
            Failed,
        ),
        (
            Get,
            HALF,
            &[
                Answered(200),
                Read,
                Stall(4),
                Wait(2),
                Let,
                ReadToEnd(Broken),
            ],
            Ignored,
        ),
        // However it was read, it has come.
        (
            Get,
            WHOLE,
            &[Answered(200), Read, Stall(60), Let, ReadToEnd(Whole)],
            Succeeded,
        ),
        (
            Get,
            EVENTS,
            &[Answered(200), Read, Wait(5), Let, ReadToEnd(Whole)],
            Succeeded,
        ),
        (Get, EVENTS, &[Answered(200), Read, Drop], Ignored),
        // It breaks while the upload goes on, or after that.
        (
            Put,
            HALF,
            &[Answered(200), Read, Let, ReadToEnd(Broken)],
            Ignored,
        ),
        (
            Put,
            UPLOADED,
            &[EndUpload, Answered(200), Let, ReadToEnd(Broken)],
            Failed,
        ),
    ];
    for row in rows {
        judges(Version::HTTP_11, row).await;
        judges(Version::HTTP_2, row).await;
    }
}

#[tokio::test]
async fn r60_an_answer_that_ends_early_judges_the_server_even_if_it_does_not_break() {
    const ROW: &[Does] = &[Begin(Some(6)), Send("abc"), Pause, Truncate];
    // hyper takes a stream of HTTP/2 that ends for no error for one that is whole.
    for (version, ends) in [(Version::HTTP_11, Broken), (Version::HTTP_2, Whole)] {
        let steps = [Answered(200), Read, Let, ReadToEnd(ends)];
        judges(version, (Get, ROW, &steps, Failed)).await;
    }
}

#[tokio::test]
async fn r60_a_pause_judges_the_server_only_if_more_was_promised() {
    const PAUSE: Step = Wait(IDLE);
    let rows: [Row<'_>; 5] = [
        (
            Get,
            HALF,
            &[Answered(200), Read, PAUSE, ReadToEnd(Broken)],
            Failed,
        ),
        (
            Get,
            EVENTS,
            &[Answered(200), Read, PAUSE, ReadToEnd(Broken)],
            Ignored,
        ),
        // A reader that does not ask is not a server that does not send.
        (
            Get,
            WHOLE,
            &[Answered(200), Read, Stall(60), Let, ReadToEnd(Whole)],
            Succeeded,
        ),
        (
            Get,
            WHOLE,
            &[
                Answered(200),
                Read,
                Wait(5),
                Let,
                Stall(60),
                ReadToEnd(Whole),
            ],
            Succeeded,
        ),
        (
            Get,
            HALF,
            &[Answered(200), Read, Stall(60), PAUSE, ReadToEnd(Broken)],
            Ignored,
        ),
    ];
    for row in rows {
        judges(Version::HTTP_11, row).await;
        judges(Version::HTTP_2, row).await;
    }
}

const EVENTS: &[Does] = &[Begin(None), Send("abc"), Pause, Send("def"), End];
const HALF: &[Does] = &[Begin(Some(6)), Send("abc"), Pause, Break];
const STREAM: &[Does] = &[Begin(None), Send("abc"), Pause, Break];
const UPLOADED: &[Does] = &[Begin(Some(6)), Receive(3), Send("abc"), Pause, Break];
const WHOLE: &[Does] = &[Begin(Some(6)), Send("abc"), Pause, Send("def"), End];

#[tokio::test]
async fn r60_a_reader_that_has_stalled_opens_no_breaker_without_a_pool_either() {
    for (seconds, expected) in [(0, (1, 0)), (2, (0, 1))] {
        let upstream = Upstream::start(Version::HTTP_11, HALF).await;
        let breakers = BreakerBox::start("test").await.unwrap();
        let breaker = breakers.breaker("north", BreakerConfig::new()).await;
        let breaker = breaker.unwrap();
        let service = BreakerLayer::new(breaker.clone(), Http);
        let service = service.layer(client::server(Version::HTTP_11, &upstream));
        let request = Request::new(ReplayBody::default());
        let mut body = service.oneshot(request).await.unwrap().into_body();
        assert!(body.frame().await.unwrap().unwrap().is_data());
        client::pass(seconds).await;
        upstream.go_on();
        assert!(client::within(body.collect()).await.is_err());
        let counts = breaker.snapshot().await.counts;
        assert_eq!((counts.failures, counts.ignored), expected, "{seconds} s");
    }
}

async fn judges(version: Version, (sends, does, steps, expected): Row<'_>) {
    let row = format!("{version:?} {sends:?} {does:?} {steps:?}");
    println!("{row}");
    let upstream = Upstream::start(version, does).await;
    let mut caller = Caller::send(version, sends, &upstream).await;
    for step in steps {
        caller.act(*step, &upstream).await;
    }
    let breaker = caller.pool.breaker("north").unwrap();
    drop(caller);
    let counts = breaker.snapshot().await.counts;
    let counted = (counts.failures, counts.ignored, counts.successes);
    let all = match expected {
        Failed => (1, 0, 0),
        Ignored => (0, 1, 0),
        Succeeded => (0, 0, 1),
    };
    assert_eq!(counted, all, "{row}");
}
