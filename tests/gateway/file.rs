use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A file that is gone when this is dropped.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let name = format!("breakerbox-{name}-{}.toml", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.write(text);
        file
    }

    pub(crate) fn write(&self, text: &str) {
        let mut file = std::fs::File::create(&self.0).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn read(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.0);
    }
}

/// Upstreams in the order of their tiers, of which the last one is alone in its.
pub(crate) fn config(upstreams: &[SocketAddr]) -> String {
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
        breaker = {{ call_timeout = "2s", open_for = "30s", trip = {{ consecutive_failures = 5 }} }}
        upstream = [{}]
        "#,
        upstreams.join(", ")
    )
}
