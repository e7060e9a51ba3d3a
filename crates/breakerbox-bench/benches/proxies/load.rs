use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use breakerbox_bench::guards::client;
use breakerbox_bench::machine;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Failure;
use crate::proxy::Proxy;

/// What a proxy does when it is asked as fast as it answers, by wrk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saturated {
    pub(crate) a_second: f64,
    pub(crate) p99: Duration,
    /// Of the proxy, for each request.
    pub(crate) processor: Duration,
}

impl Saturated {
    pub(crate) fn measure(proxy: &Proxy, span: Duration) -> Result<Self, Failure> {
        let before = proxy.processor_time();
        let mut wrk = Command::new("taskset");
        wrk.args(["-c", "1", "wrk", "--threads", "1", "--latency"]);
        wrk.args(["--connections", &CONNECTIONS.to_string()]);
        wrk.args(["--duration", &format!("{}s", span.as_secs())]);
        let said = wrk.arg(format!("http://{}/", proxy.address())).output()?;
        let used = proxy.processor_time().saturating_sub(before);
        let said = String::from_utf8(said.stdout)?;
        if said.contains("Non-2xx") || said.contains("Socket errors") {
            return Err(format!("not all requests were answered: {said}").into());
        }
        let number = |word: &str| {
            let line = said.lines().find_map(|line| line.trim().strip_prefix(word));
            line.map(str::trim)
                .ok_or(format!("wrk says no {word}: {said}"))
        };
        let a_second: f64 = number("Requests/sec:")?.parse()?;
        Ok(Self {
            a_second,
            p99: span_of(number("99%")?)?,
            processor: used.div_f64(a_second * span.as_secs_f64()),
        })
    }
}

/// A span as wrk writes it: `753.00us`, `2.29ms`, `1.02s`.
fn span_of(text: &str) -> Result<Duration, Failure> {
    let unit = text.find(char::is_alphabetic).ok_or("a span has a unit")?;
    let seconds = match &text[unit..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        _ => 1.0,
    };
    Ok(Duration::from_secs_f64(
        text[..unit].parse::<f64>()? * seconds,
    ))
}

/// What becomes of requests that come at a steady rate, however long they take.
/// They are timed from when they were due, so a pause counts for all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    pub(crate) failed: u64,
    pub(crate) most: Duration,
    pub(crate) p99: Duration,
    pub(crate) requests: u64,
}

impl Steady {
    pub(crate) fn measure(address: SocketAddr, rate: u32, span: Duration) -> Result<Self, Failure> {
        Self::measure_while(address, rate, span, || ())
    }

    /// The same while something else happens.
    pub(crate) fn measure_while(
        address: SocketAddr,
        rate: u32,
        span: Duration,
        act: impl FnOnce() + Send,
    ) -> Result<Self, Failure> {
        let uri: Uri = format!("http://{address}/").parse()?;
        let (due, coming) = mpsc::unbounded_channel();
        thread::scope(|scope| {
            scope.spawn(act);
            scope.spawn(move || pace(rate, span, &due));
            machine::pin(1);
            machine::one_worker().block_on(send(uri, coming))
        })
    }
}

/// Tells when each request is due. A runtime's timers are too coarse for that.
fn pace(rate: u32, span: Duration, told: &mpsc::UnboundedSender<Instant>) {
    machine::pin(1);
    let begun = Instant::now();
    for nth in 0..span.as_secs() as u32 * rate {
        let due = begun + Duration::from_secs(1) * nth / rate;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if told.send(due).is_err() {
            return;
        }
    }
}

async fn send(uri: Uri, mut coming: mpsc::UnboundedReceiver<Instant>) -> Result<Steady, Failure> {
    let client: Client<HttpConnector, Empty<Bytes>> = client();
    let mut requests = JoinSet::new();
    while let Some(due) = coming.recv().await {
        let request = client.get(uri.clone());
        requests.spawn(async move {
            let answered = timeout(GIVEN_UP_AFTER, async {
                let response = request.await.ok()?;
                let is_good = response.status().is_success();
                response.into_body().collect().await.ok()?;
                is_good.then_some(())
            });
            let is_good = answered.await.is_ok_and(|good| good.is_some());
            (is_good, due.elapsed())
        });
    }
    let (mut took, mut failed) = (Histogram::<u64>::new(3)?, 0);
    while let Some(ended) = requests.join_next().await {
        let (is_good, span) = ended?;
        took.record(u64::try_from(span.as_nanos())?)?;
        failed += u64::from(!is_good);
    }
    Ok(Steady {
        failed,
        most: Duration::from_nanos(took.max()),
        p99: Duration::from_nanos(took.value_at_quantile(0.99)),
        requests: took.len(),
    })
}

const CONNECTIONS: u32 = 32;
const GIVEN_UP_AFTER: Duration = Duration::from_secs(5);
