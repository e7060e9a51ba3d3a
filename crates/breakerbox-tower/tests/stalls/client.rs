use std::error::Error;
use std::io;
use std::time::Duration;

use breakerbox::{
    BreakerBox, BreakerConfig, Endpoint, Pool, PoolConfig, PoolError, TripPolicy, Verdict,
};
use breakerbox_tower::{
    Classify, EarlyAnswer, Http, IdleTimeoutBody, Origin, PoolService, ReplayBody, Unsettled,
    WatchedBody, body_verdict,
};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, Uri, Version};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{advance, pause, resume, timeout};
use tokio_test::{assert_pending, task};
use tower::ServiceExt;

use crate::upstream::Upstream;

/// What a client does, one after the other, once it has sent the head of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Gets the head of an answer with this status.
    Answered(u16),
    /// Its upload breaks.
    BreakUpload,
    /// Goes away, with what it has of the answer.
    Drop,
    /// Reads the answer to its end, which breaks, or does not.
    End(Ends),
    /// Ends its upload.
    EndUpload,
    /// Gets no answer.
    Fails,
    /// Lets the server go on.
    Let,
    /// Reads a piece of the answer.
    Read,
    /// Does nothing for so many seconds.
    Stall(u64),
    /// Asks for a piece of the answer, and waits in vain for so many seconds.
    Wait(u64),
}

/// How a body ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ends {
    Broken,
    Whole,
}

/// What a client sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sends {
    Get,
    /// A PUT whose first three bytes are there, and the rest is not.
    Put,
}

/// A client of one request.
pub(crate) struct Caller {
    answer: Answer,
    pub(crate) pool: Pool<Server>,
    upload: Option<UnboundedSender<io::Result<Frame<Bytes>>>>,
}

enum Answer {
    Begun(Box<WatchedBody<Limited>>),
    Over,
    Sent(JoinHandle<Result<Response<WatchedBody<Limited>>, PoolError<legacy::Error>>>),
}

impl Caller {
    pub(crate) async fn send(version: Version, sends: Sends, upstream: &Upstream) -> Self {
        let pool = pool(version, upstream).await;
        let (method, body, upload) = match sends {
            Sends::Get => (Method::GET, empty(), None),
            Sends::Put => {
                let (upload, pieces) = unbounded_channel();
                upload.send(Ok(Frame::data("xxx".into()))).unwrap();
                let pieces = stream::unfold(pieces, |mut pieces| async {
                    Some((pieces.recv().await?, pieces))
                });
                let body = StreamBody::new(pieces).boxed_unsync();
                (Method::PUT, body, Some(upload))
            }
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        let service = PoolService::new(pool.clone(), Judge);
        let answer = Answer::Sent(tokio::spawn(service.oneshot(request)));
        Self {
            answer,
            pool,
            upload,
        }
    }

    pub(crate) async fn act(&mut self, step: Step, upstream: &Upstream) {
        match step {
            Step::BreakUpload => {
                let broken = Err(io::ErrorKind::ConnectionReset.into());
                self.upload.as_ref().unwrap().send(broken).unwrap();
            }
            Step::EndUpload => self.upload = None,
            Step::Let => upstream.go_on(),
            Step::Stall(seconds) => pass(seconds).await,
            step => self.answer.act(step).await,
        }
    }
}

impl Answer {
    async fn act(&mut self, step: Step) {
        match (step, &mut *self) {
            (Step::Answered(status), Self::Sent(answer)) => {
                let answer = within(answer).await.unwrap().unwrap();
                assert_eq!(answer.status(), status);
                *self = Self::Begun(Box::new(answer.into_body()));
            }
            (Step::Drop, Self::Sent(answer)) => {
                pass(0).await;
                answer.abort();
                assert!(within(answer).await.is_err(), "it has not been answered");
            }
            (Step::Drop, answer) => *answer = Self::Over,
            (Step::Fails, Self::Sent(answer)) => {
                let answer = within(answer).await.unwrap();
                assert!(matches!(answer, Err(PoolError::Failed(_))), "{answer:?}");
            }
            (step, Self::Begun(body)) => read(step, body).await,
            (step, _) => panic!("{step:?} at the wrong time"),
        }
    }
}

async fn read(step: Step, body: &mut WatchedBody<Limited>) {
    match step {
        Step::End(ends) => {
            let collected = within(body.collect()).await;
            assert_eq!(collected.is_ok(), ends == Ends::Whole, "{collected:?}");
        }
        Step::Read => {
            let frame = within(body.frame()).await.unwrap().unwrap();
            assert!(frame.is_data(), "{frame:?}");
        }
        Step::Wait(seconds) => {
            let mut waiting = task::spawn(body.frame());
            assert_pending!(waiting.poll());
            pass(seconds).await;
        }
        step => panic!("{step:?} at the wrong time"),
    }
}

/// Lets time pass for whoever reads the clock, once what was sent has arrived.
pub(crate) async fn pass(seconds: u64) {
    for _ in 0..TURNS {
        // The runtime looks after its sockets before it goes on.
        yield_now().await;
    }
    pause();
    advance(Duration::from_secs(seconds)).await;
    resume();
}

/// Waits for what comes soon, unless something is wrong.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.unwrap()
}

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(crate) type Server = Origin<Client<EarlyAnswer<HttpConnector>, ReplayBody<Body>>>;
type Limited = IdleTimeoutBody<Incoming>;

pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn server(version: Version, upstream: &Upstream) -> Server {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(version == Version::HTTP_2)
        .build(EarlyAnswer::new(HttpConnector::new()));
    let uri: Uri = format!("http://{}", upstream.address).parse().unwrap();
    Origin::new(client, &uri).unwrap()
}

pub(crate) async fn pool(version: Version, upstream: &Upstream) -> Pool<Server> {
    let breakers = BreakerBox::start("test").await.unwrap();
    let endpoint = Endpoint::new("north", server(version, upstream));
    let pool = breakers.pool("shop", CONFIG, [endpoint]).await;
    pool.unwrap()
}

/// One attempt, and a breaker that only counts.
const CONFIG: PoolConfig = PoolConfig::new()
    .attempts(1)
    .breaker(BreakerConfig::new().trip_on(TripPolicy::consecutive_failures(100)));

/// Judges as [`Http`] does; the body of an answer may pause for [`IDLE`] seconds.
#[derive(Clone, Copy)]
pub(crate) struct Judge;

impl<E: Error + 'static> Classify<Response<Incoming>, E> for Judge {
    type Watched = Response<WatchedBody<Limited>>;

    fn verdict(&self, result: &Result<Response<Incoming>, E>) -> Option<Verdict> {
        Http.verdict(result)
    }

    fn watch(&self, response: Response<Incoming>, unsettled: Option<Unsettled>) -> Self::Watched {
        let limit = Duration::from_secs(IDLE);
        let limited = response.map(|body| IdleTimeoutBody::new(body, limit));
        let watched = Classify::<_, E>::watch(&Http, limited, unsettled);
        watched.map(|body| body.judge_break_by(|error| body_verdict(&**error)))
    }
}

pub(crate) const IDLE: u64 = 10;
/// More than it takes from one task to the other, over all that is between them.
const TURNS: u32 = 200;
