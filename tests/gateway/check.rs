//! The arguments of a gateway, and files that it looks through and does not use.

use std::process::Output;

use tokio::process::Command;

use crate::example;
use crate::file::File;
use crate::process::within;
use crate::wrong_files::one_upstream;

#[tokio::test]
async fn a_check_says_ok_to_a_file_that_is_right_and_starts_nothing() {
    // Nobody could listen there.
    let right = format!(
        "listen = \"192.0.2.1:80\"\n{}\nroute = [{{ prefix = \"/\", pool = \"shop\" }}]",
        one_upstream("http://a.invalid")
    );
    let right = File::new("right", &right);
    let documented = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/gateway/gateway.toml"
    );
    for file in [right.path(), documented] {
        let run = run(&["--check", file]).await;
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(0), "{file}: {said}");
        assert_eq!(run.stdout, b"ok\n", "{file}");
        assert_eq!(said, "", "{file}");
    }
    let run = run(&["--check", "/nowhere.toml"]).await;
    assert_eq!(run.status.code(), Some(1));
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.starts_with("gateway: /nowhere.toml: "), "{said}");
}

#[tokio::test]
async fn arguments_that_mean_nothing_are_answered_with_the_usage() {
    for arguments in [
        &[][..],
        &["--check"],
        &["--check", "a", "b"],
        &["--json"],
        &["--json", "--check"],
        &["--what"],
        &["a", "b"],
    ] {
        let run = run(arguments).await;
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with("usage: gateway "), "{arguments:?}: {said}");
    }
}

/// Runs a gateway to its end.
pub(crate) async fn run(arguments: &[&str]) -> Output {
    let mut run = Command::new(example::path("gateway"));
    let run = run.args(arguments).output();
    within("an end", run).await.unwrap()
}
