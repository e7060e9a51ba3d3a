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

#[tokio::test]
async fn a_filter_of_the_log_that_cannot_be_read_is_an_error() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/gateway/gateway.toml"
    );
    for (filter, is_understood) in [
        ("", true),
        ("off", true),
        ("info,gateway::access=off", true),
        ("gateway=loud", false),
        ("info,gateway::access=of", false),
    ] {
        let run = run_logging(&["--check", file], Some(filter)).await;
        let said = String::from_utf8_lossy(&run.stderr);
        let expected = match is_understood {
            true => Some(0),
            false => Some(1),
        };
        assert_eq!(run.status.code(), expected, "{filter}: {said}");
        let complains = said.starts_with(&format!("gateway: RUST_LOG is {filter:?}: "));
        assert_eq!(complains, !is_understood, "{filter}: {said}");
    }
}

/// Runs a gateway to its end.
pub(crate) async fn run(arguments: &[&str]) -> Output {
    run_logging(arguments, None).await
}

/// With `RUST_LOG` set to this.
async fn run_logging(arguments: &[&str], filter: Option<&str>) -> Output {
    let mut command = Command::new(example::path("gateway"));
    command.args(arguments);
    if let Some(filter) = filter {
        command.env("RUST_LOG", filter);
    }
    within("an end", command.output()).await.unwrap()
}
