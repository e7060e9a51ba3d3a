//! A file that is read again while the gateway works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;

use crate::file::{File, config};
use crate::process::{Process, within};
use crate::wire::Front;
use crate::{Shop, answer, client, get};

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
    let opened = async {
        while !get(&pools).await.unwrap().contains("breaker open") {
            assert_eq!(get(&gateway.url("/")).await.as_deref(), Ok("south"));
        }
    };
    within("an open breaker", opened).await;

    file.write(
        "listen = \"127.0.0.1:0\"\npool = {}\nroute = [{ prefix = \"/\", pool = \"shop\" }]",
    );
    gateway.signal("-HUP").await;
    let refused = gateway.complains().await;
    assert!(refused.contains("not reloaded"), "{refused}");
    assert_eq!(get(&gateway.url("/")).await.as_deref(), Ok("south"));

    let third = Process::upstream("third").await;
    file.write(&config(&[north.address, third.address, south.address]));
    gateway.signal("-HUP").await;
    let said = gateway.says().await;
    assert!(said.starts_with("reloaded "), "{said}");
    let told = get(&pools).await.unwrap();
    assert_eq!(told.matches("breaker open").count(), 1, "{told}");
    // South is no longer who it was: the name went to another address.
    let third_serves = async { while get(&gateway.url("/")).await.as_deref() != Ok("third") {} };
    within("the third", third_serves).await;
}

#[tokio::test]
async fn r58_a_reload_that_fails_in_one_pool_changes_no_other() {
    let [north, south] = [
        Process::upstream("north").await,
        Process::upstream("south").await,
    ];
    let one = |address| {
        let text = config(&[address]);
        let text = text.replace(
            "route = [",
            "route = [{ prefix = \"/till\", pool = \"till\" }, ",
        );
        format!("{text}\n[pool.till]\nupstream = [{{ name = \"t\", url = \"http://{address}\" }}]")
    };
    let file = File::new("one-pool", &one(north.address));
    let mut gateway = Process::start(&[file.path()]).await;
    for wrong in [
        one(south.address) + "\ndeadline = \"5s\"\nbreaker = { call_timeout = \"6s\" }",
        one(south.address) + "\n[pool.empty]\nupstream = []",
    ] {
        file.write(&wrong);
        gateway.signal("-HUP").await;
        let refused = gateway.complains().await;
        assert!(refused.contains("not reloaded"), "{refused}");
        let pools = get(&gateway.url("/.gateway/pools")).await.unwrap();
        assert!(pools.contains(&north.address.to_string()), "{pools}");
        assert!(!pools.contains(&south.address.to_string()), "{pools}");
        assert_eq!(get(&gateway.url("/")).await.as_deref(), Ok("north"));
    }

    file.write(&one(south.address));
    gateway.signal("-HUP").await;
    let said = gateway.says().await;
    assert!(said.starts_with("reloaded "), "{said}");
    assert_eq!(get(&gateway.url("/")).await.as_deref(), Ok("south"));
}

#[tokio::test]
async fn r58_a_reload_that_changes_the_health_check_rejects_nobody() {
    let Shop {
        _alone,
        file,
        mut gateway,
        upstreams,
    } = Shop::open("health-check").await;
    let text = config(&upstreams.each_ref().map(|it| it.address));
    let checked_by = ["/count", "/healthz"].map(|path| {
        let check = format!("health_check = \"{path}\"\nupstream =");
        text.replace("upstream =", &check)
    });
    let is_over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        clients.spawn(ask_until(gateway.url("/"), Arc::clone(&is_over)));
    }
    // So often that, if there is a moment without servers, somebody asks in it.
    for text in checked_by.iter().cycle().take(30) {
        file.write(text);
        gateway.signal("-HUP").await;
        let said = gateway.says().await;
        assert!(said.starts_with("reloaded "), "{said}");
    }
    is_over.store(true, Ordering::Relaxed);
    let failed: Vec<_> = within("the last answer", clients.join_all()).await.concat();
    assert!(failed.is_empty(), "{} failed: {failed:?}", failed.len());
    let pools = get(&gateway.url("/.gateway/pools")).await.unwrap();
    assert_eq!(pools.matches("(/healthz)  available").count(), 3, "{pools}");
}

#[tokio::test]
async fn a_stream_may_pause_as_long_as_the_file_says_by_now() {
    let mut front = Front::open("pause").await;
    let text = front.file.read();
    let text = text.replace("consecutive_failures = 5", "consecutive_failures = 1");
    let impatient = text.replace("attempts = 3", "idle_timeout = \"100ms\"");
    front.file.write(&impatient);
    front.gateway.signal("-HUP").await;
    let said = front.gateway.says().await;
    assert!(said.starts_with("reloaded "), "{said}");
    let mut client = front.client().await;
    client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let mut server = front.accept().await;
    server.head().await;
    // More than the gateway reads before it hands on the head.
    let piece = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc";
    server.send(piece).await;
    client.read_to("abc").await;
    client.ended().await;
    // A server that has promised more and does not send it has failed.
    let pools = front.gateway.url("/.gateway/pools");
    let opened = async { while !get(&pools).await.unwrap().contains("breaker open") {} };
    within("an open breaker", opened).await;
}

/// Asks again and again, and returns what went wrong.
async fn ask_until(url: String, is_over: Arc<AtomicBool>) -> Vec<String> {
    let (client, mut failed) = (client(), Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        failed.extend(answer(client.get(&url).send()).await.err());
    }
    failed
}
