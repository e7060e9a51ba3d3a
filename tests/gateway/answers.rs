//! What a gateway answers by itself.

use reqwest::StatusCode;
use tokio::net::TcpSocket;

use crate::file::{File, config};
use crate::process::{Process, within};
use crate::wire::Front;
use crate::{client, get};

#[tokio::test]
async fn a_server_that_refuses_connections_is_a_bad_gateway_and_then_unavailable() {
    // It does not listen, and while it is bound nobody else does.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = socket.local_addr().unwrap();
    let file = File::new("nobody", &config(&[nobody]));
    let gateway = Process::start(&[file.path()]).await;
    let mut failed = 0;
    let answers = async {
        loop {
            let answer = client().get(gateway.url("/")).send().await.unwrap();
            match answer.status() {
                StatusCode::BAD_GATEWAY => failed += 1,
                _ => break answer,
            }
        }
    };
    let unavailable = within("an open breaker", answers).await;
    assert!(failed > 0, "not before the breaker opens");
    assert_eq!(unavailable.status(), 503);
    assert!(unavailable.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_server_that_is_slow_is_a_gateway_timeout() {
    let upstream = Process::upstream("north").await;
    upstream.set_mode("slow").await;
    let text = config(&[upstream.address]).replace("\"2s\"", "\"100ms\"");
    let file = File::new("slow-one", &text);
    let gateway = Process::start(&[file.path()]).await;
    let answer = get(&gateway.url("/")).await;
    assert_eq!(answer.unwrap_err(), "504 Gateway Timeout ");
}

#[tokio::test]
async fn an_upload_that_breaks_is_a_bad_request() {
    let front = Front::open("upload").await;
    let mut client = front.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    client.send("3\r\nabc\r\n").await;
    let mut server = front.accept().await;
    server.read_to("abc\r\n").await;
    client.send("this is no length of a chunk\r\n").await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
}

#[tokio::test]
async fn a_client_that_says_nothing_or_half_of_it_is_hung_up_on() {
    let front = Front::open("silent").await;
    // The second is the beginning of HTTP/2, and of some requests of HTTP/1.1.
    let clients = ["", "P", "GET / HTTP/1.1\r\nhost:"].map(async |said| {
        let mut client = front.client().await;
        client.send(said).await;
        client.ended().await;
    });
    let [silent, undecided, halting] = clients;
    tokio::join!(silent, undecided, halting);
}

#[tokio::test]
async fn the_pools_are_shown_to_nobody_behind_a_proxy() {
    let front = Front::open("proxied").await;
    for (line, status) in [
        ("", "200"),
        ("Forwarded: for=192.0.2.1\r\n", "404"),
        ("Via: 1.1 other\r\n", "404"),
        ("X-Forwarded-For: 192.0.2.1\r\n", "404"),
    ] {
        let request = format!("GET /.gateway/pools HTTP/1.1\r\nHost: shop\r\n{line}\r\n");
        let answer = front.refuses(&request).await;
        assert!(answer.contains(status), "{answer} to {request}");
    }
}

#[tokio::test]
async fn routes_are_of_whole_segments() {
    let [north, south] = [
        Process::upstream("north").await,
        Process::upstream("south").await,
    ];
    let pools = [("a", north.address), ("b", south.address)].map(|(name, address)| {
        format!("[pool.{name}]\nupstream = [{{ name = \"it\", url = \"http://{address}\" }}]\n")
    });
    let routes = r#"[{ prefix = "/a", pool = "a" }, { prefix = "/a/b/", pool = "b" }]"#;
    let text = format!(
        "listen = \"127.0.0.1:0\"\nroute = {routes}\n{}",
        pools.concat()
    );
    let file = File::new("routes", &text);
    let gateway = Process::start(&[file.path()]).await;
    for (path, by) in [
        ("/a", Ok("north")),
        ("/a?b", Ok("north")),
        ("/a/bc", Ok("north")),
        ("/a/b", Ok("south")),
        ("/a/b/c", Ok("south")),
        ("/ab", Err("404 Not Found ")),
        ("/", Err("404 Not Found ")),
        ("/.gateway/nothing", Err("404 Not Found ")),
    ] {
        let answer = get(&gateway.url(path)).await;
        let answer = answer.as_ref().map(String::as_str);
        assert_eq!(answer.map_err(String::as_str), by, "{path}");
    }
}
