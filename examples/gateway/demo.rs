//! A failover and a failback, between real processes.
//!
//! Three upstreams and a gateway are started as processes of their own, and sent
//! 200 requests a second. Of the first tier one is killed and the other stopped,
//! so that it hangs; the stand-in serves alone; then both come back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::Failure;

/// Plays it; a request that failed is an error.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut north = Process::upstream("north", 0).await?;
    let south = Process::upstream("south", 0).await?;
    let stand_in = Process::upstream("stand-in", 0).await?;
    let upstreams = [&north, &south, &stand_in].map(|process| process.address);
    let file = ConfigFile::write(upstreams)?;
    let gateway = Process::start(&[&file.path.to_string_lossy()]).await?;
    let url = format!("http://{}", gateway.address);
    println!("gateway on {url}, its upstreams on {upstreams:?}");

    let ends = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let traffic = tokio::spawn(send(url.clone(), began, Arc::clone(&ends)));
    sleep(ACT).await;

    let outage = began.elapsed();
    println!("{outage:.1?}: north is killed, south is stopped and hangs");
    north.child.kill().await?;
    south.signal("-STOP").await?;
    sleep(ACT).await;
    println!("{}", pools(&url).await?);

    let back = began.elapsed();
    println!("{back:.1?}: north is started again, south goes on");
    north = Process::upstream("north", north.address.port()).await?;
    south.signal("-CONT").await?;
    sleep(COMEBACK).await;
    println!("{}", pools(&url).await?);

    ends.store(true, Ordering::Relaxed);
    let answers = traffic.await??;
    drop((north, south, stand_in, gateway));
    report(&answers, outage, back)
}

/// An answer: when it was there after the beginning, how long it took, and by
/// whom it was, or what went wrong.
struct Answer {
    at: Duration,
    by: Result<String, String>,
    took: Duration,
}

/// Sends requests at a fixed rate.
async fn send(url: String, began: Instant, ends: Arc<AtomicBool>) -> Result<Vec<Answer>, Failure> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut tick = interval(PAUSE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut requests = JoinSet::new();
    while !ends.load(Ordering::Relaxed) {
        tick.tick().await;
        let request = client.get(&url).send();
        requests.spawn(async move {
            let sent = Instant::now();
            let by = answered(request).await;
            Answer {
                at: began.elapsed(),
                by,
                took: sent.elapsed(),
            }
        });
    }
    let mut answers = requests.join_all().await;
    answers.sort_by_key(|answer| answer.at);
    Ok(answers)
}

async fn answered(
    request: impl Future<Output = reqwest::Result<reqwest::Response>>,
) -> Result<String, String> {
    let response = async { request.await?.error_for_status()?.text().await };
    response
        .await
        .map_err(|error: reqwest::Error| error.to_string())
}

fn report(answers: &[Answer], outage: Duration, back: Duration) -> Result<(), Failure> {
    let mut served = BTreeMap::new();
    for answer in answers {
        let by = answer.by.as_deref().unwrap_or("failed");
        *served.entry(by).or_insert(0_u32) += 1;
    }
    println!("summary");
    for (by, requests) in &served {
        println!("  {requests:>5} {by}");
    }
    let first = |after: Duration, by: &str| {
        let mut later = answers.iter().filter(|answer| answer.at > after);
        let first = later.find(|answer| answer.by.as_deref() == Ok(by));
        first.map(|answer| answer.at - after)
    };
    let failover = first(outage, "stand-in").ok_or("the stand-in never served")?;
    let failback = first(back, "north").ok_or("north never came back")?;
    let slowest = answers.iter().map(|answer| answer.took).max();
    println!("  failed over after {failover:.1?}, back at north after {failback:.1?}");
    println!("  slowest answer {:.1?}", slowest.unwrap_or_default());
    let mut errors = answers.iter().filter_map(|answer| answer.by.as_ref().err());
    if let Some(error) = errors.next() {
        return Err(format!("a request failed: {error}").into());
    }
    println!("every request was answered");
    Ok(())
}

async fn pools(url: &str) -> Result<String, Failure> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let response = client.get(format!("{url}/.gateway/pools")).send().await?;
    Ok(response.text().await?)
}

/// A process of this very program, killed when it is dropped.
struct Process {
    address: SocketAddr,
    child: Child,
}

impl Process {
    async fn upstream(name: &str, port: u16) -> Result<Self, Failure> {
        Self::start(&["--upstream", name, &port.to_string()]).await
    }

    /// Returns when it has said where it listens.
    async fn start(arguments: &[&str]) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .env("RUST_LOG", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().expect("it was piped above");
        let mut said = BufReader::new(stdout).lines();
        let first = timeout(START_WITHIN, said.next_line()).await??;
        let address = first.ok_or("a process ended at once")?;
        let address = address.trim_start_matches("listening on ").parse()?;
        Ok(Self { address, child })
    }

    async fn signal(&self, signal: &str) -> Result<(), Failure> {
        let id = self.child.id().ok_or("the process has ended")?.to_string();
        Command::new("kill").args([signal, &id]).status().await?;
        Ok(())
    }
}

/// The gateway's file, removed when it is dropped.
struct ConfigFile {
    path: PathBuf,
}

impl ConfigFile {
    fn write([north, south, stand_in]: [SocketAddr; 3]) -> Result<Self, Failure> {
        let name = format!("breakerbox-gateway-{}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        let text = format!(
            r#"
            listen = "127.0.0.1:0"
            route = [{{ prefix = "/", pool = "shop" }}]

            [pool.shop]
            breaker = {{ call_timeout = "300ms", open_for = "1s", trip = {{ consecutive_failures = 5 }} }}
            check_every = "500ms"
            deadline = "5s"
            failback = {{ hold = "1s", ramp = "2s" }}
            health_check = "/healthz"
            upstream = [
                {{ name = "north", url = "http://{north}" }},
                {{ name = "south", url = "http://{south}" }},
                {{ name = "stand-in", url = "http://{stand_in}", tier = 1 }},
            ]
            "#
        );
        std::fs::write(&path, text)?;
        Ok(Self { path })
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        // If it is gone, so much the better.
        let _gone = std::fs::remove_file(&self.path);
    }
}

const ACT: Duration = Duration::from_secs(3);
const COMEBACK: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(5);
const START_WITHIN: Duration = Duration::from_secs(20);
