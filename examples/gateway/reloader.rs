use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use breakerbox::{CancellationToken, ChildSpec};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

use crate::Failure;
use crate::config::Config;
use crate::gateway::Gateway;

/// Reads the file again on SIGHUP.
pub(crate) struct Reloader {
    file: PathBuf,
    gateway: Arc<Gateway>,
    hangups: Mutex<Signal>,
    listens: SocketAddr,
}

impl Reloader {
    /// From here on SIGHUP does not end the process.
    pub(crate) fn new(file: &Path, listens: SocketAddr, gateway: Arc<Gateway>) -> io::Result<Self> {
        Ok(Self {
            file: file.to_owned(),
            gateway,
            hangups: Mutex::new(signal(SignalKind::hangup())?),
            listens,
        })
    }

    /// As a child of a supervisor.
    pub(crate) fn child(self) -> ChildSpec {
        let reloader = Arc::new(self);
        ChildSpec::task("reloader", move |stop| {
            let reloader = Arc::clone(&reloader);
            async move { reloader.run(stop).await }
        })
    }

    async fn run(&self, stop: CancellationToken) -> Result<(), Infallible> {
        let mut hangups = self.hangups.lock().await;
        while let Some(Some(())) = stop.run_until_cancelled(hangups.recv()).await {
            let file = self.file.display();
            match self.reload().await {
                Ok(()) => crate::say(&format!("reloaded {file}")),
                Err(error) => crate::complain(&format!("not reloaded: {}", crate::causes(&*error))),
            }
        }
        Ok(())
    }

    /// Takes over what the file says now. The socket stays: nobody is hung up on.
    async fn reload(&self) -> Result<(), Failure> {
        let config = Config::read(&self.file)?;
        let (now, before) = (config.listen, self.listens);
        if now != before {
            let file = self.file.display();
            let error = format!("{file}: listen has changed from {before} to {now}");
            return Err(format!("{error}, which takes a restart").into());
        }
        self.gateway.apply(&config).await
    }
}
