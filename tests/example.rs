//! Finding the examples, which `cargo test --workspace` builds beside the tests.

use std::path::PathBuf;

/// The program of an example.
pub(crate) fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = profile
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{path:?} is not built; `cargo test --workspace` builds it"
    );
    path
}
