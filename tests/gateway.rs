//! The example `gateway`: real processes that die, hang, fail and come back,
//! and clients that must not notice.

#![cfg(test)]

mod example;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// A process of the example, killed when it is dropped.
struct Process {
    address: SocketAddr,
    child: Child,
    complaints: Lines<BufReader<ChildStderr>>,
    said: Lines<BufReader<ChildStdout>>,
}

impl Process {
    async fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(example::path("gateway"))
            .args(arguments)
            .env("RUST_LOG", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let complaints = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = said.next_line().await.unwrap().expect("it comes up");
        let address = first.trim_start_matches("listening on ").parse().unwrap();
        Self {
            address,
            child,
            complaints,
            said,
        }
    }

    async fn upstream(name: &str) -> Self {
        Self::start(&["--upstream", name, "0"]).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await;
        assert!(sent.unwrap().success());
    }

    async fn set_mode(&self, mode: &str) {
        let told = client().put(self.url(&format!("/mode/{mode}"))).send();
        assert_eq!(told.await.unwrap().status(), 204);
    }

    async fn asked(&self) -> u64 {
        get(&self.url("/count")).await.unwrap().parse().unwrap()
    }
}

/// A file that is gone when this is dropped.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("breakerbox-{name}-{}.toml", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        let mut file = std::fs::File::create(&self.0).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The body of a good answer, or what is wrong with it.
async fn get(url: &str) -> Result<String, String> {
    let answer = client().get(url).send().await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.text().await.map_err(|error| error.to_string())?;
    match status.is_success() {
        true => Ok(body),
        false => Err(format!("{status} {body}")),
    }
}

/// Upstreams in the order of their tiers, of which the last one is alone in its.
fn config(upstreams: &[SocketAddr]) -> String {
    let last = upstreams.len() - 1;
    let upstreams = upstreams.iter().enumerate().map(|(nth, address)| {
        let tier = u8::from(nth == last);
        format!("{{ name = \"{nth}\", url = \"http://{address}\", tier = {tier} }}")
    });
    let upstreams: Vec<_> = upstreams.collect();
    format!(
        r#"
        listen = "127.0.0.1:0"
        route = [{{ prefix = "/", pool = "shop" }}]

        [pool.shop]
        attempts = 3
        deadline = "10s"
        breaker = {{ call_timeout = "300ms", open_for = "30s", trip = {{ consecutive_failures = 5 }} }}
        upstream = [{}]
        "#,
        upstreams.join(", ")
    )
}

struct Shop {
    gateway: Process,
    _file: File,
    /// North and south in the first tier, and a stand-in.
    upstreams: [Process; 3],
}

impl Shop {
    async fn open(name: &str) -> Self {
        let upstreams = [
            Process::upstream("north").await,
            Process::upstream("south").await,
            Process::upstream("stand-in").await,
        ];
        let file = File::new(name, &config(&upstreams.each_ref().map(|it| it.address)));
        Self {
            gateway: Process::start(&[file.path()]).await,
            _file: file,
            upstreams,
        }
    }

    /// Sends requests at a fixed rate; none of them may fail.
    async fn load(&self) {
        let client = client();
        let mut clients = JoinSet::new();
        let mut tick = interval(Duration::from_millis(5));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..REQUESTS {
            tick.tick().await;
            let request = client.get(self.gateway.url("/")).send();
            clients.spawn(async move {
                let answer = request.await.map_err(|error| error.to_string())?;
                let status = answer.status();
                let body = answer.text().await.map_err(|error| error.to_string())?;
                match status.as_u16() {
                    200 => Ok(body),
                    _ => Err(format!("{status} {body}")),
                }
            });
        }
        let answers = clients.join_all().await;
        let failed: Vec<_> = answers
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .collect();
        assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
        assert_eq!(answers.last().unwrap().as_deref(), Ok("stand-in"));
    }

    /// The requests that came to all upstreams.
    async fn asked(&self) -> u64 {
        let [north, south, stand_in] = &self.upstreams;
        north.asked().await + south.asked().await + stand_in.asked().await
    }

    /// Both of the first tier do this; nobody may notice, and the upstreams see
    /// no more than the budget allows beyond what clients asked for.
    async fn survives(&self, mode: &str) {
        for upstream in &self.upstreams[..2] {
            upstream.set_mode(mode).await;
        }
        self.load().await;
        let extra = self.asked().await - REQUESTS;
        assert!(extra <= REQUESTS / 5 + 3, "{extra} more than {REQUESTS}");
    }
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_are_killed() {
    let mut shop = Shop::open("killed").await;
    for upstream in &mut shop.upstreams[..2] {
        upstream.child.kill().await.unwrap();
    }
    shop.load().await;
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_hang() {
    let shop = Shop::open("hang").await;
    for upstream in &shop.upstreams[..2] {
        upstream.signal("-STOP").await;
    }
    shop.load().await;
    for upstream in &shop.upstreams[..2] {
        upstream.signal("-CONT").await;
    }
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_fail() {
    Shop::open("failing").await.survives("failing").await;
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_break_their_answers() {
    Shop::open("broken").await.survives("broken").await;
}

#[tokio::test]
async fn r54_no_client_notices_that_servers_are_busy() {
    Shop::open("busy").await.survives("busy").await;
}

#[tokio::test]
async fn r53_no_client_notices_that_servers_are_slow() {
    let shop = Shop::open("slow").await;
    for upstream in &shop.upstreams[..2] {
        upstream.set_mode("slow").await;
    }
    shop.load().await;
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
    let mut run = Command::new(example::path("gateway"));
    let run = run.arg("--demo").output().await.unwrap();
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

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let upstream = Process::upstream("north").await;
    let file = File::new("streams", &config(&[upstream.address]));
    let gateway = Process::start(&[file.path()]).await;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|nth| (nth % 251) as u8).collect();
    let request = client().post(gateway.url("/echo")).body(sent.clone());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.unwrap() == sent);
}

#[tokio::test]
async fn r58_a_reload_keeps_breakers_and_a_wrong_file_changes_nothing() {
    let [north, south] = [
        Process::upstream("north").await,
        Process::upstream("south").await,
    ];
    let both = config(&[north.address, south.address]);
    let file = File::new("reload", &both);
    let mut gateway = Process::start(&[file.path()]).await;
    north.set_mode("failing").await;
    let pools = gateway.url("/.gateway/pools");
    while !get(&pools).await.unwrap().contains("breaker open") {
        assert_eq!(get(&gateway.url("/")).await.as_deref(), Ok("south"));
    }

    file.write(
        "listen = \"127.0.0.1:0\"\npool = {}\nroute = [{ prefix = \"/\", pool = \"shop\" }]",
    );
    gateway.signal("-HUP").await;
    let refused = gateway.complaints.next_line().await.unwrap().unwrap();
    assert!(refused.contains("not reloaded"), "{refused}");
    assert_eq!(get(&gateway.url("/")).await.as_deref(), Ok("south"));

    let third = Process::upstream("third").await;
    file.write(&config(&[north.address, third.address, south.address]));
    gateway.signal("-HUP").await;
    let said = gateway.said.next_line().await.unwrap().unwrap();
    assert!(said.starts_with("reloaded "), "{said}");
    let told = get(&pools).await.unwrap();
    assert_eq!(told.matches("breaker open").count(), 1, "{told}");
    // South is no longer who it was: the name went to another address.
    while get(&gateway.url("/")).await.as_deref() != Ok("third") {}
}

#[tokio::test]
async fn a_wrong_file_is_refused_with_what_would_be_right() {
    let upstream = r#"{ name = "a", url = "http://127.0.0.1:1" }"#;
    for (name, pool, complaint) in [
        ("none", "upstream = []", "pool.shop: it needs an upstream"),
        (
            "https",
            r#"upstream = [{ name = "a", url = "https://a" }]"#,
            "is not the URL of a server",
        ),
        (
            "twice",
            &format!("upstream = [{upstream}, {upstream}]"),
            "two upstreams are named",
        ),
        (
            "unknown",
            &format!("upstream = [{upstream}]\nspeed = 9"),
            "unknown field `speed`",
        ),
        (
            "attempts",
            &format!("upstream = [{upstream}]\nattempts = 0"),
            "expected a nonzero u32",
        ),
        (
            "hedge",
            &format!("upstream = [{upstream}]\nattempts = 1\nhedge = true"),
            "hedge",
        ),
    ] {
        let text = format!("listen = \"127.0.0.1:0\"\nroute = []\n[pool.shop]\n{pool}\n");
        let file = File::new(name, &text);
        let mut run = Command::new(example::path("gateway"));
        let run = run.arg(file.path()).output().await.unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(complaint), "{name}: {said}");
    }
}

const REQUESTS: u64 = 300;
