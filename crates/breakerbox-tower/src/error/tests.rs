use super::*;

#[test]
fn r53_only_what_comes_while_connecting_was_surely_not_sent() {
    for (kind, verdict) in [
        (ErrorKind::BrokenPipe, Verdict::Sent),
        (ErrorKind::ConnectionRefused, Verdict::NotSent),
        (ErrorKind::ConnectionReset, Verdict::Sent),
        (ErrorKind::HostUnreachable, Verdict::Sent),
        (ErrorKind::NetworkUnreachable, Verdict::Sent),
        (ErrorKind::TimedOut, Verdict::Sent),
        (ErrorKind::UnexpectedEof, Verdict::Sent),
    ] {
        let error = io::Error::from(kind);
        assert_eq!(error_verdict(&error), verdict, "{kind:?}");
        let wrapped = Wrapped(error);
        assert_eq!(error_verdict(&wrapped), verdict, "{kind:?}, wrapped");
    }
}

#[derive(Debug)]
struct Wrapped(io::Error);

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl std::fmt::Display for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrapped")
    }
}
