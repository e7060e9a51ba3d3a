use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Failure;

/// A price server's process, as its parent holds it.
///
/// It never outlives its parent: dropping this kills it, and should the parent
/// be killed itself, the server's standard input ends and so does the server.
pub(crate) struct PriceServerProcess {
    address: SocketAddr,
    child: Child,
    name: &'static str,
    /// Looked up once, because a build may replace the file meanwhile.
    program: PathBuf,
}

impl PriceServerProcess {
    /// Starts one on any free port, and returns when it serves.
    pub(crate) async fn start(name: &'static str) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let (child, address) = spawn(&program, name, ANY_PORT, Duration::ZERO).await?;
        Ok(Self {
            address,
            child,
            name,
            program,
        })
    }

    /// Kills it, as `kill -9` does.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    /// Starts a killed one again at its old address, answering after `delay`.
    pub(crate) async fn restart(&mut self, delay: Duration) -> Result<(), Failure> {
        (self.child, self.address) = spawn(&self.program, self.name, self.port(), delay).await?;
        Ok(())
    }

    /// Ends it, and returns when it is gone.
    pub(crate) async fn stop(mut self) {
        // Waiting closes its standard input, upon which it ends by itself.
        if timeout(STOP_WITHIN, self.child.wait()).await.is_err() {
            // An error means that it has just ended.
            let _gone = self.child.kill().await;
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Its process number, while it runs.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn spawn(
    program: &Path,
    name: &str,
    port: u16,
    delay: Duration,
) -> Result<(Child, SocketAddr), Failure> {
    let mut child = Command::new(program)
        .args([
            "--price-server",
            name,
            &port.to_string(),
            &delay.as_millis().to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().expect("it was piped above");
    let mut lines = BufReader::new(stdout).lines();
    let first = timeout(START_WITHIN, lines.next_line()).await;
    let line = first.map_err(|_| format!("the price server {name} does not come up"))??;
    let address = line.ok_or_else(|| format!("the price server {name} ended at once"))?;
    Ok((child, address.parse()?))
}

const ANY_PORT: u16 = 0;
const START_WITHIN: Duration = Duration::from_secs(20);
const STOP_WITHIN: Duration = Duration::from_secs(5);
