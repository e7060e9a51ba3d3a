//! The example `gateway`: real processes that die, hang, fail and come back,
//! and clients that must not notice.

#![cfg(test)]

#[path = "gateway/answers.rs"]
mod answers;
#[path = "gateway/check.rs"]
mod check;
#[path = "gateway/connections.rs"]
mod connections;
#[path = "gateway/door.rs"]
mod door;
#[path = "gateway/drain.rs"]
mod drain;
mod example;
#[path = "gateway/file.rs"]
mod file;
#[path = "gateway/forwarding.rs"]
mod forwarding;
#[path = "gateway/frames.rs"]
mod frames;
#[path = "gateway/framing.rs"]
mod framing;
#[path = "gateway/headers.rs"]
mod headers;
#[path = "gateway/limits.rs"]
mod limits;
#[path = "gateway/logs.rs"]
mod logs;
#[path = "gateway/mirror.rs"]
mod mirror;
#[path = "gateway/paths.rs"]
mod paths;
#[path = "gateway/patience.rs"]
mod patience;
#[path = "gateway/process.rs"]
mod process;
#[path = "gateway/reload.rs"]
mod reload;
#[path = "gateway/shortage.rs"]
mod shortage;
#[path = "gateway/silence.rs"]
mod silence;
#[path = "gateway/stalls.rs"]
mod stalls;
#[path = "gateway/wire.rs"]
mod wire;
#[path = "gateway/wrong_files.rs"]
mod wrong_files;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use file::{File, config};
use process::{Process, within};

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn get(url: &str) -> Result<String, String> {
    within("an answer", answer(client().get(url).send())).await
}

/// The body of a good answer, or what is wrong with it.
async fn answer(
    request: impl Future<Output = reqwest::Result<reqwest::Response>>,
) -> Result<String, String> {
    let answer = request.await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.text().await.map_err(|error| error.to_string())?;
    match status.is_success() {
        true => Ok(body),
        false => Err(format!("{status} {body}")),
    }
}

/// One at a time. Its 200 requests a second keep a small machine busy; where their
/// time is up in one burst, all retries that there may be are at the wrong server
/// before its breaker opens.
struct Shop {
    _alone: MutexGuard<'static, ()>,
    file: File,
    gateway: Process,
    /// North and south in the first tier, and a stand-in.
    upstreams: [Process; 3],
}

impl Shop {
    async fn open(name: &str) -> Self {
        let alone = ALONE.lock().await;
        let upstreams = [
            Process::upstream("north").await,
            Process::upstream("south").await,
            Process::upstream("stand-in").await,
        ];
        let file = File::new(name, &config(&upstreams.each_ref().map(|it| it.address)));
        Self {
            _alone: alone,
            gateway: Process::start(&[file.path()]).await,
            file,
            upstreams,
        }
    }

    /// Sends requests at a fixed rate, in the midst of which something happens.
    /// None of them may fail; the answers are in the order in which they came.
    async fn load(&self, happens: impl AsyncFnOnce()) -> Vec<String> {
        let client = client();
        let mut clients = JoinSet::new();
        let mut tick = interval(Duration::from_millis(5));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut happens = Some(happens);
        for nth in 0..REQUESTS {
            tick.tick().await;
            if nth == CALM
                && let Some(happens) = happens.take()
            {
                happens().await;
            }
            let request = client.get(self.gateway.url("/")).send();
            clients.spawn(answer(request));
        }
        let answers = within("the last answer", clients.join_all()).await;
        let (served, failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
        served.into_iter().flatten().collect()
    }

    /// What happens leaves nobody but the stand-in.
    async fn survives(&self, happens: impl AsyncFnOnce()) {
        let served = self.load(happens).await;
        assert_eq!(served.last().unwrap(), "stand-in");
    }

    async fn survives_mode(&self, mode: &str) {
        self.survives(async || {
            for upstream in self.first_tier() {
                upstream.set_mode(mode).await;
            }
        })
        .await;
    }

    /// Nor may the upstreams see more than the budget allows beyond what clients
    /// asked for, where an answer takes no time.
    async fn survives_mode_within_budget(&self, mode: &str) {
        self.survives_mode(mode).await;
        let extra = self.asked().await - REQUESTS;
        assert!(extra <= REQUESTS / 5 + 3, "{extra} more than {REQUESTS}");
    }

    async fn survives_signal(&self, signal: &str) {
        self.survives(async || {
            for upstream in self.first_tier() {
                upstream.signal(signal).await;
            }
        })
        .await;
    }

    fn first_tier(&self) -> &[Process] {
        &self.upstreams[..2]
    }

    /// The requests that came to all upstreams.
    async fn asked(&self) -> u64 {
        let [north, south, stand_in] = &self.upstreams;
        north.asked().await + south.asked().await + stand_in.asked().await
    }
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_are_killed() {
    Shop::open("killed").await.survives_signal("-KILL").await;
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_hang() {
    Shop::open("hang").await.survives_signal("-STOP").await;
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_fail() {
    let shop = Shop::open("failing").await;
    shop.survives_mode_within_budget("failing").await;
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_break_their_answers() {
    let shop = Shop::open("broken").await;
    shop.survives_mode_within_budget("broken").await;
}

#[tokio::test]
async fn r54_no_client_notices_that_servers_are_busy() {
    let shop = Shop::open("busy").await;
    shop.survives_mode_within_budget("busy").await;
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_are_slow() {
    Shop::open("slow").await.survives_mode("slow").await;
}

#[tokio::test]
async fn r53_no_client_notices_that_a_server_half_closes_its_sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let half_closes = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _request = stream.read(&mut [0; 1_024]).await;
            stream.shutdown().await.unwrap();
            kept.push(stream);
        }
    });
    let stand_in = Process::upstream("stand-in").await;
    let file = File::new("half-closed", &config(&[half_closes, stand_in.address]));
    let gateway = Process::start(&[file.path()]).await;
    for _ in 0..20 {
        assert_eq!(get(&gateway.url("/")).await.as_deref(), Ok("stand-in"));
    }
}

#[tokio::test]
async fn r56_the_demo_fails_over_and_back_without_a_failed_request() {
    let _alone = ALONE.lock().await;
    let mut run = Command::new(example::path("gateway"));
    let run = within("an end", run.arg("--demo").output()).await.unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{errors}");
    assert!(said.ends_with("every request was answered\n"), "{said}");
    let at_the_end = said.rsplit("shop: ").next().unwrap();
    for upstream in ["north@", "south@"] {
        let mut lines = at_the_end.lines();
        let line = lines.find(|line| line.trim().starts_with(upstream));
        assert!(line.is_some_and(|it| it.contains("  available")), "{said}");
    }
}

static ALONE: Mutex<()> = Mutex::const_new(());
/// How many requests are sent before something happens.
const CALM: u64 = 100;
const REQUESTS: u64 = 500;
