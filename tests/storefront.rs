//! The example `storefront`, run as a person runs it.

#![cfg(test)]

mod example;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

#[test]
fn every_order_is_answered_through_the_outage() {
    let _alone = alone();
    let run = Command::new(example::path("storefront")).output().unwrap();
    let (text, errors) = (text(&run.stdout), text(&run.stderr));
    assert!(run.status.success(), "{}\n{text}\n{errors}", run.status);
    assert_eq!(number(&text, "failed"), 0, "{text}");
    let served = number(&text, "served by north") + number(&text, "served by south");
    assert_eq!(number(&text, "requests"), served, "{text}");
    for change in [
        "closed -> open: consecutive_failures (",
        "open -> half_open: open_elapsed",
        "half_open -> open: probe_failed (",
        "half_open -> closed: probes_succeeded (",
    ] {
        assert!(
            has_line(&text, "breaker prices/north", change),
            "{change}\n{text}"
        );
    }
    assert!(
        !text.contains("breaker prices/south"),
        "south never fails\n{text}"
    );
    let crash = "incarnation 1 panicked: attempt to divide by zero";
    assert!(has_line(&text, "worker discounts", crash), "{text}");
    assert!(
        has_line(
            &text,
            "worker discounts",
            "restarted in place, incarnation 2"
        ),
        "{text}"
    );
    let servers = servers_in(&text);
    assert_eq!(servers.len(), 3, "north, south, and north again\n{text}");
    assert_eq!(alive(&servers), [], "{text}");
}

#[test]
fn serve_answers_curl_and_ends_in_order_on_ctrl_c() {
    let _alone = alone();
    let mut shop = Shop::serve();
    let order = shop.get("/order/umbrella?quantity=2");
    assert!(
        order.contains("200 OK") && order.contains(r#""served_by":"north""#),
        "{order}"
    );
    let unknown = shop.get("/order/yacht");
    assert!(unknown.contains("404 Not Found"), "{unknown}");
    signal("-INT", shop.process.id());
    assert!(shop.process.wait().unwrap().success());
    assert_eq!(alive(&shop.servers), []);
}

#[test]
fn price_servers_end_with_a_killed_parent() {
    let _alone = alone();
    let mut shop = Shop::serve();
    shop.process.kill().unwrap();
    shop.process.wait().unwrap();
    while !alive(&shop.servers).is_empty() {
        std::thread::yield_now();
    }
}

#[test]
fn an_unknown_argument_is_refused_with_the_usage() {
    for arguments in [&["--sreve"][..], &["--serve", "8080"]] {
        let run = Command::new(example::path("storefront"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(2));
        assert_eq!(text(&run.stdout), "");
        assert!(text(&run.stderr).contains("usage: storefront"));
    }
}

/// The example with `--serve`, open for customers.
struct Shop {
    address: String,
    process: Child,
    servers: Vec<u32>,
}

impl Shop {
    fn serve() -> Self {
        let mut command = Command::new(example::path("storefront"));
        let mut process = command
            .arg("--serve")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.as_mut().unwrap());
        let said: Vec<_> = output
            .lines()
            .map(Result::unwrap)
            .take_while(|line| !line.contains("Ctrl-C"))
            .collect();
        let open = said
            .iter()
            .find_map(|line| line.split_once("open at http://"));
        let (_, address) = open.unwrap_or_else(|| panic!("it did not open: {said:?}"));
        Self {
            address: address.to_owned(),
            servers: servers_in(&said.join("\n")),
            process,
        }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Where a test failed before it ended the process itself.
        let _ended = self.process.kill();
    }
}

/// One storefront at a time: each keeps a small machine busy.
fn alone() -> impl Drop {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The number that a line of the summary begins with.
fn number(text: &str, what: &str) -> u64 {
    let summary = text.lines().skip_while(|line| *line != "summary");
    let mut values = summary.filter_map(|line| line.trim().strip_prefix(what));
    let value = values
        .next()
        .and_then(|value| value.split_whitespace().next());
    value
        .unwrap_or_else(|| panic!("the summary has no {what}\n{text}"))
        .parse()
        .unwrap()
}

/// Whether the timeline says this of them.
fn has_line(text: &str, who: &str, what: &str) -> bool {
    text.lines()
        .any(|line| line.contains(who) && line.contains(what))
}

/// The numbers of the processes that were started.
fn servers_in(text: &str) -> Vec<u32> {
    let up = text
        .lines()
        .filter_map(|line| line.split_once("up as process "));
    up.map(|(_, rest)| rest.split([' ', ',']).next().unwrap().parse().unwrap())
        .collect()
}

/// Those of these processes that are price servers still, where `/proc` tells.
fn alive(servers: &[u32]) -> Vec<u32> {
    let is_server = |id: &&u32| {
        let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        text(&command).contains("--price-server")
    };
    servers.iter().filter(is_server).copied().collect()
}

fn signal(signal: &str, process: u32) {
    let kill = format!("kill {signal} {process}");
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}
