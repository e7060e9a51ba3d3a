use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use breakerbox_bench::machine;

use crate::Failure;

/// Who answers the clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A proxy that does nothing else, by hyper: the example `bare_proxy`.
    Bare,
    /// An upstream itself.
    Direct,
    Gateway,
    Nginx,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "hyper alone",
            Self::Direct => "no proxy",
            Self::Gateway => "gateway",
            Self::Nginx => "nginx",
        }
    }
}

/// A proxy, or what stands in for one.
pub(crate) struct Proxy {
    address: SocketAddr,
    process: Option<Process>,
}

impl Proxy {
    pub(crate) fn start(
        kind: Kind,
        upstreams: &[Upstream; 2],
        directory: &Directory,
    ) -> Result<Self, Failure> {
        let addresses = [upstreams[0].address, upstreams[1].address];
        let address = free_address()?;
        let process = match kind {
            Kind::Bare => {
                let mut command = pinned(0, &directory.programs.bare.to_string_lossy());
                let ports = [address, addresses[0], addresses[1]];
                command.args(ports.map(|address| address.port().to_string()));
                Process::start(&mut command, address)?
            }
            Kind::Direct => {
                return Ok(Self {
                    address: addresses[1],
                    process: None,
                });
            }
            Kind::Gateway => {
                let file = directory.write(|_| gateway_toml(address, addresses))?;
                let mut command = pinned(0, &directory.programs.gateway.to_string_lossy());
                command.arg(file).env("RUST_LOG", "off");
                Process::start(&mut command, address)?
            }
            Kind::Nginx => directory.nginx(0, address, &nginx_proxy(address, addresses))?,
        };
        Ok(Self {
            address,
            process: Some(process),
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much it has used until now.
    pub(crate) fn processor_time(&self) -> Duration {
        self.process
            .as_ref()
            .map_or(Duration::ZERO, Process::processor_time)
    }
}

/// A server that always gives the same answer.
pub(crate) struct Upstream {
    address: SocketAddr,
    process: Process,
}

impl Upstream {
    pub(crate) fn two(directory: &Directory) -> Result<[Self; 2], Failure> {
        Ok([Self::start(directory)?, Self::start(directory)?])
    }

    fn start(directory: &Directory) -> Result<Self, Failure> {
        let address = free_address()?;
        let process = directory.nginx(1, address, &nginx_upstream(address))?;
        Ok(Self { address, process })
    }

    /// It takes connections and says nothing.
    pub(crate) fn stop(&self) {
        self.process.signal("-STOP");
    }

    pub(crate) fn kill(&self) {
        self.process.signal("-KILL");
    }
}

/// Where the files are, which is gone when this is dropped, and the programs.
pub(crate) struct Directory {
    files: AtomicU32,
    path: PathBuf,
    programs: Programs,
}

impl Directory {
    pub(crate) fn new() -> Result<Self, Failure> {
        let name = format!("breakerbox-proxies-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path)?;
        Ok(Self {
            files: AtomicU32::new(0),
            path,
            programs: Programs::build()?,
        })
    }

    /// A new file, for which there is a number.
    fn write(&self, text: impl FnOnce(u32) -> String) -> Result<PathBuf, Failure> {
        // Relaxed: only a number for each.
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let file = self.path.join(number.to_string());
        fs::write(&file, text(number))?;
        Ok(file)
    }

    /// One process of nginx, on this core.
    fn nginx(&self, core: u8, address: SocketAddr, http: &str) -> Result<Process, Failure> {
        let file = self.write(|number| nginx_conf(http, &self.path, number))?;
        let mut command = pinned(core, "nginx");
        command.arg("-p").arg(&self.path).arg("-c").arg(file);
        Process::start(&mut command, address)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.path);
    }
}

/// A process that listens, killed when this is dropped.
struct Process(Child);

impl Process {
    fn start(command: &mut Command, address: SocketAddr) -> Result<Self, Failure> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let process = Self(child);
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > UP_WITHIN {
                return Err(format!("{command:?} does not listen on {address}").into());
            }
            std::thread::sleep(UP_WITHIN / 1_000);
        }
        Ok(process)
    }

    fn processor_time(&self) -> Duration {
        machine::processor_time_of(self.0.id())
    }

    fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "the process runs");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed before.
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// The examples, built as a user would run them.
struct Programs {
    bare: PathBuf,
    gateway: PathBuf,
}

impl Programs {
    fn build() -> Result<Self, Failure> {
        Ok(Self {
            bare: example("breakerbox-bench", "bare_proxy")?,
            gateway: example("breakerbox-examples", "gateway")?,
        })
    }
}

fn example(package: &str, name: &str) -> Result<PathBuf, Failure> {
    let build = ["build", "--release", "--quiet", "-p", package];
    let built = Command::new(env!("CARGO"))
        .args(build)
        .args(["--example", name])
        .status()?;
    if !built.success() {
        return Err(format!("the example {name} does not build").into());
    }
    // This program is in release/deps.
    let program = std::env::current_exe()?;
    let release = program
        .ancestors()
        .nth(2)
        .ok_or("it is not in a folder of cargo's")?;
    Ok(release.join("examples").join(name))
}

fn pinned(core: u8, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}

fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn gateway_toml(address: SocketAddr, [one, other]: [SocketAddr; 2]) -> String {
    format!(
        r#"
        listen = "{address}"
        route = [{{ prefix = "/", pool = "shop" }}]

        [pool.shop]
        attempts = 2
        breaker = {{ call_timeout = "300ms", open_for = "10s", trip = {{ consecutive_failures = 5 }} }}
        upstream = [
            {{ name = "one", url = "http://{one}" }},
            {{ name = "other", url = "http://{other}" }},
        ]
        "#
    )
}

/// Of a single process, so that a signal reaches the one that serves.
fn nginx_conf(http: &str, directory: &Path, number: u32) -> String {
    let directory = directory.display();
    format!(
        "
        daemon off; master_process off;
        pid {directory}/{number}.pid;
        error_log {directory}/{number}.log crit;
        events {{ worker_connections 16384; }}
        http {{
            access_log off;
            client_body_temp_path {directory}/body;
            proxy_temp_path {directory}/proxy;
            fastcgi_temp_path {directory}/fastcgi;
            uwsgi_temp_path {directory}/uwsgi;
            scgi_temp_path {directory}/scgi;
            keepalive_requests 1000000000;
            {http}
        }}"
    )
}

fn nginx_upstream(address: SocketAddr) -> String {
    format!(
        r#"server {{ listen {address}; location / {{ return 200 "an answer of a small service"; }} }}"#
    )
}

/// As the gateway's configuration says: the same limits, and one retry.
fn nginx_proxy(address: SocketAddr, [one, other]: [SocketAddr; 2]) -> String {
    format!(
        r#"
        upstream shop {{
            server {one} max_fails=5 fail_timeout=10s;
            server {other} max_fails=5 fail_timeout=10s;
            keepalive 64;
            keepalive_requests 1000000000;
        }}
        server {{
            listen {address};
            location / {{
                proxy_pass http://shop;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_connect_timeout 500ms;
                proxy_read_timeout 300ms;
                proxy_next_upstream error timeout;
                proxy_next_upstream_tries 2;
            }}
        }}"#
    )
}

const UP_WITHIN: Duration = Duration::from_secs(10);
