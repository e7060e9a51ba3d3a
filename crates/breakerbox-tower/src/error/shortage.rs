use std::error::Error;
use std::io::{self, ErrorKind};

/// Whether this one error says that this process, or its machine, is out of something:
/// files, ports, memory or room on a disk.
pub(super) fn is_shortage(error: &(dyn Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<io::Error>() else {
        return false;
    };
    let has_kind = matches!(
        error.kind(),
        ErrorKind::AddrInUse
            | ErrorKind::AddrNotAvailable
            | ErrorKind::OutOfMemory
            | ErrorKind::QuotaExceeded
    );
    let is_numbered = |number| NUMBERS.contains(&number);
    has_kind || error.raw_os_error().is_some_and(is_numbered)
}

/// The numbers of the errors that have no kind.
#[cfg(unix)]
const NUMBERS: [i32; 3] = [ENFILE, EMFILE, ENOBUFS];
/// The same of Winsock: `WSAEMFILE`, `WSAENOBUFS`, and `ERROR_TOO_MANY_OPEN_FILES`.
#[cfg(windows)]
const NUMBERS: [i32; 3] = [10_024, 10_055, 4];
#[cfg(not(any(unix, windows)))]
const NUMBERS: [i32; 0] = [];

/// The process has too many open files.
#[cfg(unix)]
const EMFILE: i32 = 24;
/// The machine has too many open files.
#[cfg(unix)]
const ENFILE: i32 = 23;
/// No room is left for what a socket sends.
#[cfg(any(target_os = "android", target_os = "linux"))]
const ENOBUFS: i32 = 105;
#[cfg(any(target_os = "illumos", target_os = "solaris"))]
const ENOBUFS: i32 = 132;
#[cfg(all(
    unix,
    not(any(
        target_os = "android",
        target_os = "illumos",
        target_os = "linux",
        target_os = "solaris"
    ))
))]
const ENOBUFS: i32 = 55;
