use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

use crate::{example, get};

/// A process of the example, killed when it is dropped.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    complaints: Lines<BufReader<ChildStderr>>,
    said: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::logging(arguments, "off").await
    }

    /// With `RUST_LOG` set to this.
    pub(crate) async fn logging(arguments: &[&str], filter: &str) -> Self {
        let mut command = Command::new(example::path("gateway"));
        Self::start_by(command.args(arguments), filter).await
    }

    /// With a limit on the files that it may have open at a time.
    pub(crate) async fn start_with_files(limit: usize, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -n $0; exec \"$@\""])
            .arg(limit.to_string())
            .arg(example::path("gateway"))
            .args(arguments);
        Self::start_by(&mut command, "off").await
    }

    async fn start_by(command: &mut Command, filter: &str) -> Self {
        let mut child = command
            .env("RUST_LOG", filter)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let complaints = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = within("a start", said.next_line()).await.unwrap();
        let first = first.expect("it comes up");
        let address = first.trim_start_matches("listening on ").parse().unwrap();
        Self {
            address,
            child,
            complaints,
            said,
        }
    }

    pub(crate) async fn upstream(name: &str) -> Self {
        Self::start(&["--upstream", name, "0"]).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it says next.
    pub(crate) async fn says(&mut self) -> String {
        let line = within("a line", self.said.next_line()).await;
        line.unwrap().expect("it says something")
    }

    /// What it complains of next.
    pub(crate) async fn complains(&mut self) -> String {
        let line = within("a complaint", self.complaints.next_line()).await;
        line.unwrap().expect("it complains")
    }

    /// What it complains of next that has all of these in it.
    pub(crate) async fn complains_of(&mut self, texts: &[&str]) -> String {
        loop {
            let line = self.complains().await;
            if texts.iter().all(|text| line.contains(text)) {
                return line;
            }
        }
    }

    /// Its exit code, once it has ended.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let status = within("an end", self.child.wait()).await;
        status.unwrap().code()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) async fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.id().to_string()])
            .status()
            .await;
        assert!(sent.unwrap().success());
    }

    pub(crate) async fn set_mode(&self, mode: &str) {
        let told = crate::client().put(self.url(&format!("/mode/{mode}")));
        let told = within("an answer", told.send()).await;
        assert_eq!(told.unwrap().status(), 204);
    }

    pub(crate) async fn asked(&self) -> u64 {
        get(&self.url("/count")).await.unwrap().parse().unwrap()
    }
}

/// Waits for what comes soon, unless something is wrong.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let come = timeout(PATIENCE, future).await;
    come.unwrap_or_else(|_| panic!("{what} has not come within {PATIENCE:?}"))
}

const PATIENCE: Duration = Duration::from_secs(60);
