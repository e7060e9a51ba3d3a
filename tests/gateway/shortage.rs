//! What a gateway does that is out of files.

use std::fs;

use tokio::net::TcpStream;

use crate::file::{File, config};
use crate::get;
use crate::process::{Process, within};
use crate::wire::Wire;

#[tokio::test]
async fn r61_a_gateway_that_is_out_of_files_blames_no_server() {
    let upstreams = [
        Process::upstream("north").await,
        Process::upstream("south").await,
        Process::upstream("stand-in").await,
    ];
    let text = config(&upstreams.each_ref().map(|it| it.address));
    // By default it leaves files for its servers.
    let file = File::new("files", &format!("{text}\n[limits]\nconnections = 1000\n"));
    let gateway = Process::start_with_files(FILES, &[file.path()]).await;
    let mut client = Wire::to(gateway.address).await;
    ask(&mut client, "/.gateway/ready").await;
    let mut idle = Vec::new();
    for _ in 0..FILES {
        idle.push(TcpStream::connect(gateway.address).await.unwrap());
    }
    within("a shortage", wait_for(|| files(&gateway) >= FILES)).await;

    for _ in 0..REQUESTS {
        let head = ask(&mut client, "/").await;
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        assert!(!head.contains("retry-after"), "no breaker is open: {head}");
    }
    drop(idle);
    within("enough files", wait_for(|| files(&gateway) < FILES / 2)).await;
    let answer = get(&gateway.url("/")).await;
    assert_ne!(answer.as_deref(), Ok("stand-in"), "the first tier is well");
    assert!(answer.is_ok(), "{answer:?}");
}

async fn ask(client: &mut Wire, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n");
    client.send(&request).await;
    client.head().await
}

async fn wait_for(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

/// How many files a process has open.
fn files(process: &Process) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", process.id()));
    open.unwrap().count()
}

const FILES: usize = 64;
const REQUESTS: usize = 10;
