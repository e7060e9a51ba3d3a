use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A way to a server on which connections can die in silence.
///
/// Then nothing comes through any more, and no side is told: neither an end nor a
/// reset. So it looks when a host loses power or a router forgets what it forwards.
pub(crate) struct Relay {
    connections: Arc<AtomicU32>,
    pub(crate) port: u16,
    /// How many connections have died, the oldest first.
    silent: watch::Sender<u32>,
}

impl Relay {
    pub(crate) async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicU32::new(0));
        let (silent, is_silent) = watch::channel(0);
        tokio::spawn(accept(
            listener,
            server,
            Arc::clone(&connections),
            is_silent,
        ));
        Self {
            connections,
            port,
            silent,
        }
    }

    /// How many connections there were so far.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }

    /// The connections that there are die; those that come are well.
    pub(crate) fn fall_silent(&self) {
        self.silent.send_replace(self.connections());
    }
}

async fn accept(
    listener: TcpListener,
    server: u16,
    connections: Arc<AtomicU32>,
    is_silent: watch::Receiver<u32>,
) {
    while let Ok((mut client, _)) = listener.accept().await {
        let number = connections.fetch_add(1, Ordering::SeqCst);
        let mut is_silent = is_silent.clone();
        tokio::spawn(async move {
            let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            let died = async {
                // What it has seen must not be held any longer.
                let _silent = is_silent
                    .wait_for(|silent| number < *silent)
                    .await
                    .map(drop);
            };
            tokio::select! {
                _ended = copy_bidirectional(&mut client, &mut server) => {}
                // Both sides stay connected, and neither hears anything.
                () = died => std::future::pending().await,
            }
        });
    }
}
