use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;

use futures_util::stream;
use http::header::TRAILER;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full, StreamBody};
use tokio_test::{assert_pending, assert_ready, task};

use breakerbox::Upload;

use super::*;

/// A body that gives what the script says, one piece a poll; None is "not yet".
struct Script(VecDeque<Option<&'static str>>);

impl Body for Script {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Read<Infallible>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(None) => Poll::Pending,
            Some(Some(text)) => Poll::Ready(Some(Ok(Frame::data(text.into())))),
        }
    }
}

/// A body during whose next reading something else happens.
struct Meanwhile {
    hook: Hook,
    script: Script,
}

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

impl Body for Meanwhile {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(hook) = lock::with(&self.hook, Option::take) {
            hook();
        }
        Pin::new(&mut self.script).poll_frame(context)
    }
}

fn replay<const N: usize>(script: [Option<&'static str>; N], limit: usize) -> Replay<Script> {
    let script = Script(script.into());
    Replay::new(Request::new(script), |_| Repeat::Idempotent, limit)
}

/// A request whose body is "abc", "d", "e".
fn meanwhile(hook: &Hook, limit: usize) -> Replay<Meanwhile> {
    let body = Meanwhile {
        hook: Arc::clone(hook),
        script: Script([Some("abc"), Some("d"), Some("e")].into()),
    };
    Replay::new(Request::new(body), |_| Repeat::Idempotent, limit)
}

fn replay_of<I>(frames: I, limit: usize) -> Replay<impl Body<Data = Bytes, Error = Infallible>>
where
    I: IntoIterator<Item = Result<Frame<Bytes>, Infallible>>,
{
    let body = StreamBody::new(stream::iter(frames));
    Replay::new(Request::new(body), |_| Repeat::Idempotent, limit)
}

fn body(replay: &Replay<Script>) -> ReplayBody<Script> {
    replay.attempt().request.into_body()
}

fn read<B>(body: &mut ReplayBody<B>) -> Option<Result<String, ReplayError<B::Error>>>
where
    B: Body<Data = Bytes>,
{
    let frame = assert_ready!(task::spawn(body.frame()).poll())?;
    Some(frame.map(|frame| String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()))
}

fn data<E>(text: &str) -> Option<Result<String, ReplayError<E>>> {
    Some(Ok(text.to_owned()))
}

#[test]
fn r53_the_next_attempt_reads_what_was_read_and_then_the_rest() {
    let replay = replay([Some("a"), Some("b"), Some("c")], ENOUGH);
    let mut first = body(&replay);
    assert_eq!(read(&mut first), data("a"));
    assert_eq!(read(&mut first), data("b"));
    let mut second = body(&replay);
    for expected in [data("a"), data("b"), data("c"), None] {
        assert_eq!(read(&mut second), expected);
    }
    let mut third = body(&replay);
    for expected in [data("a"), data("b"), data("c"), None] {
        assert_eq!(read(&mut third), expected);
    }
}

#[test]
fn r53_an_older_attempt_is_told_that_it_is_superseded() {
    let replay = replay([Some("a"), None, Some("b")], ENOUGH);
    let mut first = body(&replay);
    assert_eq!(read(&mut first), data("a"));
    assert_pending!(task::spawn(first.frame()).poll());
    let mut second = body(&replay);
    assert_eq!(read(&mut first), Some(Err(ReplayError::Superseded)));
    assert_eq!(read(&mut second), data("a"));
    assert_eq!(read(&mut second), data("b"));
}

#[test]
fn r53_an_older_attempt_that_waits_is_woken_to_hear_that_it_is_superseded() {
    let replay = replay([Some("a"), None, Some("b")], ENOUGH);
    let mut first = body(&replay);
    assert_eq!(read(&mut first), data("a"));
    let mut waits = task::spawn(first.frame());
    assert_pending!(waits.poll());
    let _second = body(&replay);
    assert!(waits.is_woken());
    let told = assert_ready!(waits.poll()).unwrap();
    assert_eq!(told.unwrap_err(), ReplayError::Superseded);
}

/// The second attempt waits while the first one reads; then there is a third.
#[test]
fn r53_an_attempt_that_waits_for_an_older_one_is_woken_when_it_is_superseded() {
    let hook = Hook::default();
    let replay = Arc::new(meanwhile(&hook, ENOUGH));
    let mut first = replay.attempt().request.into_body();
    assert_eq!(read(&mut first), data("abc"));
    let begin = {
        let replay = Arc::clone(&replay);
        move || {
            let mut second = replay.attempt().request.into_body();
            assert_eq!(read(&mut second), data("abc"));
            let mut waits = task::spawn(second.frame());
            assert_pending!(waits.poll());
            let mut third = replay.attempt().request.into_body();
            assert!(waits.is_woken());
            assert_eq!(read(&mut third), data("abc"));
        }
    };
    *hook.lock().unwrap() = Some(Box::new(begin));
    assert_eq!(read(&mut first), Some(Err(ReplayError::Superseded)));
}

#[test]
fn r53_an_attempt_that_waits_for_an_older_one_is_woken_when_that_has_read() {
    let hook = Hook::default();
    let replay = Arc::new(meanwhile(&hook, ENOUGH));
    let mut first = replay.attempt().request.into_body();
    assert_eq!(read(&mut first), data("abc"));
    let second = Arc::new(Mutex::new(None));
    let begin = {
        let (replay, second) = (Arc::clone(&replay), Arc::clone(&second));
        move || {
            let mut body = replay.attempt().request.into_body();
            assert_eq!(read(&mut body), data("abc"));
            let mut waits = task::spawn(body);
            assert_pending!(waits.enter(|context, body| body.poll_frame(context)));
            *second.lock().unwrap() = Some(waits);
        }
    };
    *hook.lock().unwrap() = Some(Box::new(begin));
    assert_eq!(read(&mut first), Some(Err(ReplayError::Superseded)));
    let mut second = second.lock().unwrap().take().unwrap();
    assert!(second.is_woken());
    assert_eq!(read(&mut second), data("d"));
}

#[test]
fn r53_what_is_too_much_to_keep_is_read_once() {
    let replay = replay([Some("abc"), Some("d"), Some("e")], 64);
    let mut first = body(&replay);
    assert_eq!(read(&mut first), data("abc"));
    assert_eq!(replay.progress().repeat, Repeat::Idempotent);
    for expected in [data("d"), data("e"), None] {
        assert_eq!(read(&mut first), expected);
    }
    assert_eq!(replay.progress().repeat, Repeat::Never);
}

#[test]
fn r53_an_attempt_that_would_miss_a_part_of_the_body_fails() {
    let replay = replay([Some("abc"), Some("d"), Some("e")], 64);
    let Attempt {
        request, underway, ..
    } = replay.attempt();
    let mut first = request.into_body();
    assert_eq!(read(&mut first), data("abc"));
    // It was answered, and its connection goes on with the upload.
    drop(underway);
    assert_eq!(replay.progress().repeat, Repeat::Idempotent);
    assert_eq!(read(&mut first), data("d"));
    let mut second = body(&replay);
    assert_eq!(read(&mut second), Some(Err(ReplayError::Lost)));
}

#[test]
fn r53_an_attempt_fails_that_misses_what_an_older_one_was_reading() {
    let hook = Hook::default();
    let replay = Arc::new(meanwhile(&hook, 64));
    let mut first = replay.attempt().request.into_body();
    assert_eq!(read(&mut first), data("abc"));
    let second = Arc::new(Mutex::new(None));
    let begin = {
        let (replay, second) = (Arc::clone(&replay), Arc::clone(&second));
        move || *second.lock().unwrap() = Some(replay.attempt().request.into_body())
    };
    *hook.lock().unwrap() = Some(Box::new(begin));
    assert_eq!(read(&mut first), Some(Err(ReplayError::Superseded)));
    let mut second = second.lock().unwrap().take().unwrap();
    assert_eq!(read(&mut second), Some(Err(ReplayError::Lost)));
}

#[test]
fn r53_an_attempt_fails_whose_body_broke_for_an_older_one() {
    let body = StreamBody::new(stream::iter([
        Ok(Frame::data(Bytes::from_static(b"a"))),
        Err("broken"),
    ]));
    let replay = Replay::new(Request::new(body), |_| Repeat::Idempotent, ENOUGH);
    let mut first = replay.attempt().request.into_body();
    assert_eq!(read(&mut first), data("a"));
    assert_eq!(read(&mut first), Some(Err(ReplayError::Body("broken"))));
    assert_eq!(replay.progress().repeat, Repeat::Never);
    let mut second = replay.attempt().request.into_body();
    assert_eq!(read(&mut second), data("a"));
    assert_eq!(read(&mut second), Some(Err(ReplayError::Lost)));
}

#[test]
fn r55_a_request_with_a_body_is_not_hedged_but_one_without_is() {
    let with_body = replay([Some("a")], ENOUGH);
    let Attempt { underway, .. } = with_body.attempt();
    assert_eq!(with_body.progress().repeat, Repeat::Unsent);
    drop(underway);
    assert_eq!(with_body.progress().repeat, Repeat::Idempotent);

    let empty = Full::new(Bytes::new());
    let without = Replay::new(Request::new(empty), |_| Repeat::Idempotent, ENOUGH);
    let Attempt { request, .. } = without.attempt();
    assert!(request.body().is_end_stream());
    assert_eq!(without.progress().repeat, Repeat::Idempotent);
}

#[tokio::test(start_paused = true)]
async fn r53_an_upload_that_waits_for_its_client_is_not_timed() {
    let replay = replay([Some("a"), None, Some("b")], ENOUGH);
    let upload = || replay.progress().upload;
    let now = || Upload::TakenAt(tokio::time::Instant::now().into_std());
    let mut body = replay.attempt().request.into_body();
    assert_eq!(upload(), Upload::AtOnce);
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(read(&mut body), data("a"));
    assert_eq!(upload(), now());
    assert_pending!(task::spawn(body.frame()).poll());
    assert_eq!(upload(), Upload::Awaited);
    assert_eq!(read(&mut body), data("b"));
    assert_eq!(upload(), now());

    let taken = upload();
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    let mut again = replay.attempt().request.into_body();
    assert_eq!(read(&mut again), data("a"));
    assert_eq!(upload(), taken, "what is sent again puts off no deadline");

    let replay = self::replay([None], ENOUGH);
    let mut body = replay.attempt().request.into_body();
    assert_pending!(task::spawn(body.frame()).poll());
    let _never_read = replay.attempt();
    assert_eq!(replay.progress().upload, now(), "it has not asked for more");

    let empty = Replay::new(Request::new(Full::<Bytes>::default()), |_| Repeat::Never, 0);
    let _request = empty.attempt();
    assert_eq!(empty.progress(), Repeat::Never.into());
}

#[test]
fn a_body_of_known_length_stays_one() {
    let whole = Full::new(Bytes::from("order"));
    let replay = Replay::new(Request::new(whole), |_| Repeat::Idempotent, ENOUGH);
    for _attempt in 0..2 {
        let mut body = replay.attempt().request.into_body();
        assert_eq!(body.size_hint().exact(), Some(5));
        let frame = assert_ready!(task::spawn(body.frame()).poll());
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "order");
        assert_eq!(body.size_hint().exact(), Some(0));
    }
}

#[test]
fn a_piece_counts_as_64_bytes_at_least_and_an_empty_one_for_nothing() {
    let (large, larger) = (Bytes::from(vec![0; 192]), Bytes::from(vec![0; 193]));
    let small = Bytes::from_static(b"x");
    for (what, pieces, expected) in [
        ("as much as is kept", vec![large], Repeat::Idempotent),
        ("more than is kept", vec![larger], Repeat::Never),
        ("three", vec![small.clone(); 3], Repeat::Idempotent),
        ("four", vec![small; 4], Repeat::Never),
        ("empty", vec![Bytes::new(); 10_000], Repeat::Idempotent),
    ] {
        let frames = pieces
            .into_iter()
            .map(|data| Ok::<_, Infallible>(Frame::data(data)));
        let replay = replay_of(frames, 192);
        let body = replay.attempt().request.into_body();
        assert!(assert_ready!(task::spawn(body.collect()).poll()).is_ok());
        assert_eq!(replay.progress().repeat, expected, "{what}");
    }
}

#[test]
fn trailers_count_as_much_as_over_http_2() {
    for (limit, expected) in [(134, Repeat::Idempotent), (133, Repeat::Never)] {
        let mut trailers = HeaderMap::new();
        trailers.insert("x", HeaderValue::from_static("1"));
        trailers.insert("y", HeaderValue::from_str(&"2".repeat(67)).unwrap());
        let frames = [Ok::<_, Infallible>(Frame::trailers(trailers))];
        let replay = replay_of(frames, limit);
        let body = replay.attempt().request.into_body();
        assert!(assert_ready!(task::spawn(body.collect()).poll()).is_ok());
        assert_eq!(replay.progress().repeat, expected, "{limit}");
    }
}

#[test]
fn r53_the_trailers_of_a_body_without_data_are_sent_each_time() {
    let trailers = HeaderMap::from_iter([(TRAILER, HeaderValue::from_static("x"))]);
    let sent = trailers.clone();
    let body = Full::<Bytes>::default().with_trailers(ready(Some(Ok(sent))));
    let replay = Replay::new(Request::new(body), |_| Repeat::Idempotent, ENOUGH);
    for _ in 0..2 {
        let body = replay.attempt().request.into_body();
        let collected = assert_ready!(task::spawn(body.collect()).poll());
        assert_eq!(collected.unwrap().trailers(), Some(&trailers));
    }
}

#[test]
fn nothing_is_kept_once_the_call_has_its_answer() {
    let replay = replay([Some("a"), Some("b"), Some("c")], ENOUGH);
    let tape = Arc::clone(&replay.tape);
    let mut only = body(&replay);
    assert_eq!(read(&mut only), data("a"));
    drop(replay);
    for expected in [data("b"), data("c"), None] {
        assert_eq!(read(&mut only), expected);
        assert!(lock::with(&tape, |tape| tape.pieces.is_empty()));
    }
}

#[test]
fn r53_the_last_attempt_still_reads_what_older_ones_have_read() {
    let hook = Hook::default();
    let replay = meanwhile(&hook, ENOUGH);
    let mut first = replay.attempt().request.into_body();
    assert_eq!(read(&mut first), data("abc"));
    let last = Arc::new(Mutex::new(None));
    let begin = {
        let last = Arc::clone(&last);
        // The call has its answer while the first attempt is reading.
        move || *last.lock().unwrap() = Some(replay.attempt().request.into_body())
    };
    *hook.lock().unwrap() = Some(Box::new(begin));
    assert_eq!(read(&mut first), Some(Err(ReplayError::Superseded)));
    let mut last = last.lock().unwrap().take().unwrap();
    for expected in [data("abc"), data("d"), data("e"), None] {
        assert_eq!(read(&mut last), expected);
    }
}

/// Enough to keep all that these tests send.
const ENOUGH: usize = 1_024;
