//! Files that a gateway does not start with.

use crate::check::run;
use crate::file::File;

#[tokio::test]
async fn a_wrong_file_is_refused_with_what_would_be_right() {
    for (name, text, complaint) in wrong_files() {
        let file = File::new(&format!("wrong-{name}"), &text);
        // A refusal quotes the line and names the file, whatever is wrong with it.
        let quoted = [file.path(), &text];
        assert!(!quoted.iter().any(|it| it.contains(complaint)), "{name}");
        for arguments in [&[file.path()][..], &["--check", file.path()]] {
            let run = run(arguments).await;
            let said = String::from_utf8_lossy(&run.stderr);
            assert_eq!(run.status.code(), Some(1), "{name}: {said}");
            assert!(said.contains(complaint), "{name}: {said}");
            assert!(said.contains(file.path()), "{name}: {said}");
            assert!(run.stdout.is_empty(), "{name}: {:?}", run.stdout);
        }
    }
}

fn wrong_files() -> impl Iterator<Item = (&'static str, String, &'static str)> {
    let pools = WRONG_POOLS.map(|(name, pool, complaint)| {
        let pool = pool.replace("ONE", &one_upstream("http://a"));
        (name, format!("{pool}\nroute = []"), complaint)
    });
    let routes = WRONG_ROUTES.map(|(name, routes, complaint)| {
        let pool = one_upstream("http://a");
        (name, format!("{pool}\nroute = [{routes}]"), complaint)
    });
    let limits = WRONG_LIMITS.map(|(name, limits, complaint)| {
        let pool = one_upstream("http://a");
        let route = "route = [{ prefix = \"/\", pool = \"shop\" }]";
        (
            name,
            format!("limits = {{ {limits} }}\n{pool}\n{route}"),
            complaint,
        )
    });
    let urls = WRONG_URLS.map(|(name, url, complaint)| {
        let text = format!("{}\nroute = []", one_upstream(url));
        (name, text, complaint)
    });
    let rest = pools.into_iter().chain(routes).chain(limits).chain(urls);
    let rest = rest.map(|(name, text, complaint)| {
        let text = format!("listen = \"127.0.0.1:0\"\n{text}\n");
        (name, text, complaint)
    });
    let listen = "listen = \"localhost:8080\"\npool = {}\nroute = []".to_owned();
    let complaint = "expected an IP address and a port such as \"127.0.0.1:8080\"";
    rest.chain([("listen", listen, complaint)])
}

pub(crate) fn one_upstream(url: &str) -> String {
    format!("pool.shop.upstream = [{{ name = \"a\", url = \"{url}\" }}]")
}

const WRONG_LIMITS: [(&str, &str, &str); 9] = [
    (
        "no-body",
        "body_bytes = 0",
        "expected a whole number from 1 to 9223372036854775807",
    ),
    (
        "body-text",
        "body_bytes = \"1m\"",
        "expected a whole number from 1 to 9223372036854775807",
    ),
    (
        "no-client",
        "connections = 0",
        "expected a whole number from 1 to 1000000",
    ),
    (
        "clients",
        "connections = -1",
        "expected a whole number from 1 to 1000000",
    ),
    (
        "small-head",
        "head_bytes = 8191",
        "expected a whole number from 8192 to 1048576",
    ),
    (
        "large-head",
        "head_bytes = 1048577",
        "expected a whole number from 8192 to 1048576",
    ),
    (
        "no-time",
        "head_timeout = \"0s\"",
        "expected a duration of more than 0s and at most 100 years",
    ),
    (
        "time",
        "head_timeout = 10",
        "expected a duration of more than 0s and at most 100 years",
    ),
    ("limit", "requests = 1", "unknown field `requests`"),
];
const WRONG_POOLS: [(&str, &str, &str); 20] = [
    (
        "none",
        "pool.shop.upstream = []",
        "pool.shop: it needs an upstream",
    ),
    (
        "twice",
        r#"pool.shop.upstream = [{ name = "a", url = "http://a" }, { name = "a", url = "http://b" }]"#,
        "two upstreams are named",
    ),
    (
        "same",
        r#"pool.shop.upstream = [{ name = "a", url = "http://a" }, { name = "b", url = "http://A:80/" }]"#,
        "two upstreams are at http://A:80/, so one would stand in for itself",
    ),
    (
        "name",
        r#"pool.shop.upstream = [{ name = "a/b", url = "http://a" }]"#,
        "is no name",
    ),
    (
        "weight",
        r#"pool.shop.upstream = [{ name = "a", url = "http://a", weight = 0 }]"#,
        "expected a whole number from 1 to 65535",
    ),
    (
        "tier",
        r#"pool.shop.upstream = [{ name = "a", url = "http://a", tier = 300 }]"#,
        "expected a whole number from 0 to 255",
    ),
    (
        "half",
        "ONE\npool.shop.attempts = 1.5",
        "expected a whole number from 1 to 4294967295",
    ),
    (
        "unknown",
        "ONE\npool.shop.speed = 9",
        "unknown field `speed`",
    ),
    (
        "attempts",
        "ONE\npool.shop.attempts = 0",
        "expected a whole number from 1 to 4294967295",
    ),
    (
        "hedge",
        "ONE\npool.shop.attempts = 1\npool.shop.hedge = true",
        "a hedge is a second attempt",
    ),
    (
        "soon",
        "ONE\npool.shop.hedge = true\npool.shop.breaker.call_timeout = \"5ms\"",
        "but an attempt ends after 5ms, so there would never be one",
    ),
    (
        "slow",
        "ONE\npool.shop.breaker = { slow_after = \"15s\", \
         trip.slow_rate = { percent = 50, min_calls = 10 } }",
        "the file does not set call_timeout, so this is the default: 10s",
    ),
    (
        "zero",
        "ONE\npool.shop.deadline = \"0s\"",
        "expected a duration of more than 0s and at most 100 years",
    ),
    (
        "unit",
        "ONE\npool.shop.deadline = \"5\"",
        "expected a duration of more than 0s and at most 100 years, such as \"250ms\"",
    ),
    (
        "long",
        "ONE\npool.shop.failback = { hold = \"1s\", ramp = \"200years\" }",
        "expected a duration of more than 0s and at most 100 years",
    ),
    (
        "short",
        "ONE\npool.shop.deadline = \"1s\"\npool.shop.breaker.call_timeout = \"2s\"",
        "shorter than breaker.call_timeout",
    ),
    (
        "check",
        "ONE\npool.shop.check_every = \"1s\"",
        "check_every needs a health_check",
    ),
    (
        "host",
        "ONE\npool.shop.preserve_host = \"yes\"",
        "expected a boolean",
    ),
    (
        "path",
        "ONE\npool.shop.health_check = \"healthz\"",
        "expected a path such as",
    ),
    (
        "breaker",
        "ONE\npool.shop.breaker.call_timeout = \"0s\"",
        "more than 0s and at most 100 years",
    ),
];
const WRONG_ROUTES: [(&str, &str, &str); 8] = [
    (
        "slash",
        r#"{ prefix = "api", pool = "shop" }"#,
        "begins no path",
    ),
    (
        "dots",
        r#"{ prefix = "/a/../b", pool = "shop" }"#,
        "without dot segments, double slashes, semicolons and encoded letters",
    ),
    (
        "slashes",
        r#"{ prefix = "//a", pool = "shop" }"#,
        "begins no path",
    ),
    (
        "semicolon",
        r#"{ prefix = "/a;b", pool = "shop" }"#,
        "begins no path",
    ),
    (
        "encoded",
        r#"{ prefix = "/%61", pool = "shop" }"#,
        "begins no path",
    ),
    (
        "nowhere",
        r#"{ prefix = "/api", pool = "shops" }"#,
        "has no pool \"shops\", only [\"shop\"]",
    ),
    ("unused", "", "pool.shop has no route"),
    (
        "routes",
        r#"{ prefix = "/api", pool = "shop" }, { prefix = "/api/", pool = "shop" }"#,
        "there are two routes /api",
    ),
];
const WRONG_URLS: [(&str, &str, &str); 8] = [
    ("https", "https://a", "asks for TLS"),
    ("port", "http://a:80800", "is not the URL of a server"),
    ("no-port", "http://a:", "is not the URL of a server"),
    ("user", "http://b@a", "is not the URL of a server"),
    ("other", "ftp://a", "is not the URL of a server"),
    (
        "no-scheme",
        "a:80",
        "expected a scheme, a host and neither path nor query",
    ),
    (
        "query",
        "http://a?b",
        "expected a scheme, a host and neither path nor query",
    ),
    (
        "url-path",
        "http://a/b",
        "expected a scheme, a host and neither path nor query",
    ),
];
