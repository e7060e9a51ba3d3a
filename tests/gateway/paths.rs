//! The path by which a gateway chooses a route is the one that it sends on.

use crate::mirror::{Mirror, Mirrored};

#[tokio::test]
async fn a_route_is_chosen_by_the_path_that_the_server_gets() {
    let gateway = three_pools("paths").await;
    let mut wrong = Vec::new();
    for (asked, pool, passed_on) in ALIKE {
        let (status, seen) = gateway.ask(get(asked)).await;
        if !seen.starts_with(&format!("{pool} GET {passed_on} HTTP/1.1\r\n")) {
            let seen = seen.lines().next().unwrap_or_default();
            wrong.push(format!("{asked}: {status} {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_path_that_servers_read_differently_is_a_bad_request() {
    let gateway = three_pools("two-paths").await;
    let mut wrong = Vec::new();
    for asked in DIFFERENT {
        for target in [asked.to_owned(), format!("http://shop{asked}")] {
            let (status, seen) = gateway.ask(get(&target)).await;
            if status != 400 {
                let seen = seen.lines().next().unwrap_or_default();
                wrong.push(format!("{target}: {status} {seen}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_gateways_own_pages_are_not_to_be_got_around() {
    let gateway = three_pools("own-pages").await;
    for (asked, expected) in [
        ("/.gateway/ready", 200),
        ("/.gateway/%72eady", 200),
        ("//.gateway/ready", 200),
        ("/public/../.gateway/ready", 200),
        ("/%2egateway/ready", 200),
        ("/.gateway/../.gateway/nothing", 404),
        ("/.gateway/../.gateway%2fready", 400),
    ] {
        let (status, seen) = gateway.ask(get(asked)).await;
        assert_eq!((status, &*seen), (expected, ""), "{asked}");
    }
}

/// One for `/admin`, one for `/public`, and one for the rest.
async fn three_pools(name: &str) -> Mirrored {
    let pools = ["admin", "public", "rest"];
    let mut text = "listen = \"127.0.0.1:0\"\n".to_owned();
    text += "route = [{ prefix = \"/admin\", pool = \"admin\" }, \
             { prefix = \"/public\", pool = \"public\" }, { prefix = \"/\", pool = \"rest\" }]\n";
    for pool in pools {
        let Mirror(address) = Mirror::start(pool).await;
        text += &format!(
            "[pool.{pool}]\nupstream = [{{ name = \"it\", url = \"http://{address}\" }}]\n"
        );
    }
    Mirrored::before(name, &text).await
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n")
}

/// What is asked for, whose route that is, and what the server gets.
const ALIKE: [(&str, &str, &str); 44] = [
    ("/", "rest", "/"),
    ("/x", "rest", "/x"),
    ("/admin", "admin", "/admin"),
    ("/admin/", "admin", "/admin/"),
    ("/adminx", "rest", "/adminx"),
    ("/ADMIN", "rest", "/ADMIN"),
    ("/public/../admin", "admin", "/admin"),
    ("/public/x/../../admin/y", "admin", "/admin/y"),
    ("/public/%2e%2e/admin", "admin", "/admin"),
    ("/public/%2E%2E/admin", "admin", "/admin"),
    ("/public/.%2e/admin", "admin", "/admin"),
    ("/public/%2e./admin", "admin", "/admin"),
    ("/public/..//admin", "admin", "/admin"),
    ("/public//../admin", "admin", "/admin"),
    ("/public/./../admin", "admin", "/admin"),
    ("/admin/../public", "public", "/public"),
    ("/../admin", "admin", "/admin"),
    ("/../../../admin", "admin", "/admin"),
    ("/./admin", "admin", "/admin"),
    ("/%2e/admin", "admin", "/admin"),
    ("//admin", "admin", "/admin"),
    ("///admin//x", "admin", "/admin/x"),
    ("//", "rest", "/"),
    ("/.", "rest", "/"),
    ("/..", "rest", "/"),
    ("/admin/.", "admin", "/admin/"),
    ("/admin/..", "rest", "/"),
    ("/admin/x/..", "admin", "/admin/"),
    ("/%61dmin", "admin", "/admin"),
    ("/%61%64%6D%69%6e", "admin", "/admin"),
    ("/%7euser/%2Dx%5f", "rest", "/~user/-x_"),
    ("/admin;x=1", "admin", "/admin;x=1"),
    ("/admin;x/y", "admin", "/admin;x/y"),
    (
        "/public/%252e%252e/admin",
        "public",
        "/public/%252e%252e/admin",
    ),
    ("/public/...", "public", "/public/..."),
    ("/public/..x/.y", "public", "/public/..x/.y"),
    ("/a%20b%3F%23%25", "rest", "/a%20b%3F%23%25"),
    ("/a%3bb;c", "rest", "/a%3bb;c"),
    ("/sch%c3%b6n", "rest", "/sch%c3%b6n"),
    ("/public?x=/../admin", "public", "/public?x=/../admin"),
    ("/public/../admin?x=%2e%2e//", "admin", "/admin?x=%2e%2e//"),
    ("http://shop/public/../admin", "admin", "/admin"),
    ("http://shop", "rest", "/"),
    // hyper drops what follows, which no client may send.
    ("/public#/../admin", "public", "/public"),
];
const DIFFERENT: [&str; 28] = [
    "/public%2fadmin",
    "/public%2Fadmin",
    "/%2fadmin",
    "/public/..%2fadmin",
    "/public/..%2Fadmin",
    "/public/%2e%2e%2fadmin",
    "/public%5cadmin",
    "/public/..%5Cadmin",
    "/public\\admin",
    "/public/..\\admin",
    "/\\admin",
    "/public/..;/admin",
    "/public/..%3bx/admin",
    "/%3b/admin",
    "/public/.%3B",
    "/public/..;x=1/admin",
    "/public/%2e%2e;/admin",
    "/public/.;/x",
    "/public/;/admin",
    "/;x/admin",
    "/public/..;",
    "/a%00",
    "/a%00/../admin",
    "/a%",
    "/a%2",
    "/a%zz",
    "/a%+1",
    "/%u002e%u002e/admin",
];
