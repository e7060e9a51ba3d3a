use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::time::sleep;
use tokio_test::io::{Builder, Mock};
use tokio_test::{assert_pending, assert_ready, assert_ready_err, assert_ready_ok, task};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

type Io = EarlyAnswerIo<TokioIo<Mock>>;

#[tokio::test(start_paused = true)]
async fn r60_a_write_to_who_has_hung_up_waits_until_nothing_is_left_to_read() {
    for kind in [
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionAborted,
        ErrorKind::ConnectionReset,
    ] {
        let io = Builder::new()
            .write_error(kind.into())
            .wait(SECOND)
            .read(b"413")
            .wait(SECOND)
            .build();
        let mut io = task::spawn(EarlyAnswerIo::new(TokioIo::new(io)));
        for _ in 0..3 {
            assert_pending!(write(&mut io));
            assert!(io.is_woken(), "{kind:?}: nothing wakes the writer");
        }
        for said in ["413", ""] {
            assert_pending!(read(&mut io));
            for _ in 0..100 {
                assert_pending!(write(&mut io));
            }
            sleep(SECOND).await;
            assert!(io.is_woken(), "{kind:?}");
            assert_eq!(assert_ready!(read(&mut io)), said);
        }
        assert_eq!(assert_ready_err!(write(&mut io)).kind(), kind);
    }
}

#[tokio::test(start_paused = true)]
async fn r60_who_reads_wakes_who_writes() {
    let io = Builder::new()
        .write_error(ErrorKind::BrokenPipe.into())
        .wait(SECOND)
        .read(b"413")
        .build();
    let mut io = EarlyAnswerIo::new(TokioIo::new(io));
    let (mut reader, mut writer) = (task::spawn(()), task::spawn(()));
    let mut write = |io: &mut Io| {
        let polled = writer.enter(|context, _| Pin::new(io).poll_write(context, WRITTEN));
        (polled.is_pending(), writer.is_woken())
    };
    let mut read = |io: &mut Io| {
        let mut bytes = [MaybeUninit::uninit(); 8];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        reader.enter(|context, _| Pin::new(io).poll_read(context, buffer.unfilled()))
    };
    assert_eq!(write(&mut io), (true, true));
    assert_pending!(read(&mut io));
    assert_eq!(write(&mut io), (true, false));
    sleep(SECOND).await;
    assert_ready_ok!(read(&mut io));
    assert!(writer.is_woken());
}

#[tokio::test]
async fn r60_nothing_waits_for_somebody_who_does_not_read() {
    let io = Builder::new()
        .write_error(ErrorKind::BrokenPipe.into())
        .build();
    let mut io = task::spawn(EarlyAnswerIo::new(TokioIo::new(io)));
    let waits = (0..100).take_while(|_| write(&mut io).is_pending()).count();
    assert!((2..20).contains(&waits), "{waits}");
    is_lost(&mut io);
}

#[tokio::test]
async fn r60_nothing_is_taken_for_sent_once_reading_has_ended() {
    let io = Builder::new()
        .write_error(ErrorKind::BrokenPipe.into())
        .build();
    let mut io = task::spawn(EarlyAnswerIo::new(TokioIo::new(io)));
    assert_pending!(write(&mut io));
    assert_eq!(assert_ready!(read(&mut io)), "", "the end");
    let error = assert_ready_err!(write(&mut io));
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

fn is_lost(io: &mut task::Spawn<Io>) {
    assert_eq!(assert_ready_ok!(write(io)), WRITTEN.len());
    assert_ready_ok!(io.enter(|context, io| io.poll_flush(context)));
    assert_ready_ok!(io.enter(|context, io| io.poll_shutdown(context)));
}

#[test]
fn an_error_that_is_no_hangup_is_reported() {
    let no_memory = ErrorKind::OutOfMemory;
    let io = Builder::new().write_error(no_memory.into()).build();
    let mut io = task::spawn(EarlyAnswerIo::new(TokioIo::new(io)));
    let Poll::Ready(Err(error)) = write(&mut io) else {
        panic!("it is not reported");
    };
    assert_eq!(error.kind(), no_memory);
}

const WRITTEN: &[u8] = b"order";

fn write(io: &mut task::Spawn<Io>) -> Poll<io::Result<usize>> {
    io.enter(|context, io| io.poll_write(context, WRITTEN))
}

fn read(io: &mut task::Spawn<Io>) -> Poll<String> {
    let mut bytes = [MaybeUninit::uninit(); 8];
    let mut buffer = ReadBuf::uninit(&mut bytes);
    let polled = io.enter(|context, io| io.poll_read(context, buffer.unfilled()));
    polled.map(|result| {
        result.unwrap();
        String::from_utf8(buffer.filled().to_vec()).unwrap()
    })
}
