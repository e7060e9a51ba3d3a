use std::mem::MaybeUninit;

use hyper::rt::ReadBuf;
use hyper_util::rt::TokioIo;
use tokio_test::io::{Builder, Mock};
use tokio_test::{assert_pending, assert_ready_ok, task};

use super::*;

type Io = EarlyAnswerIo<TokioIo<Mock>>;

#[test]
fn r60_a_write_to_who_has_hung_up_waits_until_something_is_read() {
    for kind in [
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionAborted,
        ErrorKind::ConnectionReset,
    ] {
        let io = Builder::new().write_error(kind.into()).read(b"413").build();
        let mut io = task::spawn(EarlyAnswerIo::new(TokioIo::new(io)));
        assert_pending!(write(&mut io));
        assert!(io.is_woken(), "{kind:?}: whoever waits would wait forever");
        assert_eq!(read(&mut io), "413");
        assert_pending!(write(&mut io));
        assert!(io.is_woken(), "{kind:?}");
        // Nobody reads on: the connection must not stay for that.
        assert_eq!(assert_ready_ok!(write(&mut io)), WRITTEN.len());
        assert_ready_ok!(io.enter(|context, io| io.poll_flush(context)));
        assert_ready_ok!(io.enter(|context, io| io.poll_shutdown(context)));
    }
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

fn read(io: &mut task::Spawn<Io>) -> String {
    let mut bytes = [MaybeUninit::uninit(); 8];
    let mut buffer = ReadBuf::uninit(&mut bytes);
    let polled = io.enter(|context, io| io.poll_read(context, buffer.unfilled()));
    assert_ready_ok!(polled);
    String::from_utf8(buffer.filled().to_vec()).unwrap()
}
