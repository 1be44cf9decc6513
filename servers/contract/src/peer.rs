//! Programs that nobody here has written, before or behind the server under test.

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use crate::log::Log;
use crate::program::own_address;
use crate::{Backend, Client, patiently};

/// Says aloud that a test was skipped, and why. Where everything must be tested (`CI=true`), that
/// is a failure.
#[track_caller]
pub fn skipped(why: &str) {
    assert!(env::var("CI").as_deref() != Ok("true"), "{why}, and CI=true");
    // Not `eprintln!`, which the test harness would keep to itself.
    let _ = writeln!(io::stderr(), "SKIPPED: {why} on this machine");
}

/// A running nginx, `HAProxy` or Prometheus, listening. Dropping it kills it.
#[derive(Debug)]
#[must_use]
pub struct Peer {
    child: Child,
    log: Arc<Log>,
    address: SocketAddr,
    _folder: TempDir,
}

impl Peer {
    /// Starts nginx with one server that holds `server`, after `http` has been said to all. `None`,
    /// said aloud, where there is no nginx.
    #[track_caller]
    pub fn nginx(http: &str, server: &str) -> Option<Self> {
        let (folder, address) = (folder(), own_address());
        let path = folder.path().display();
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {path}/{name};\n"))
            .concat();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr warn;\n\
             events {{ worker_connections 512; }}\n\
             http {{\naccess_log off;\n{paths}{http}\n\
             server {{\nlisten {address};\n{server}\n}}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration).expect("writing a file of ours");
        let mut command = Command::new(installed("nginx"));
        command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(file);
        Self::start(command, address, folder)
    }

    /// Starts `HAProxy` in front of `server`. `None`, said aloud, where there is no `HAProxy`.
    #[track_caller]
    pub fn haproxy(server: SocketAddr) -> Option<Self> {
        let (folder, address) = (folder(), own_address());
        let configuration = format!(
            "global\n  maxconn 256\n\
             defaults\n  mode http\n  http-reuse always\n  retries 0\n  \
             timeout connect 10s\n  timeout client 30s\n  timeout server 30s\n\
             frontend in\n  bind {address}\n  default_backend out\n\
             backend out\n  server five {server}\n"
        );
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, configuration).expect("writing a file of ours");
        let mut command = Command::new(installed("haproxy"));
        command.args(["-db", "-f"]).arg(file);
        Self::start(command, address, folder)
    }

    /// Starts Prometheus with this configuration. `None`, said aloud, where there is none.
    #[track_caller]
    pub fn prometheus(configuration: &str) -> Option<Self> {
        let (folder, address) = (folder(), own_address());
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, configuration).expect("writing a file of ours");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        Self::start(command, address, folder)
    }

    /// A new connection to it, with what goes through it told as being about `backend`.
    #[track_caller]
    pub fn connect(&self, backend: Backend) -> Client {
        Client::connect(backend, self.address, Some(Arc::clone(&self.log)))
    }

    /// Where it listens, as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    #[track_caller]
    fn start(mut command: Command, address: SocketAddr, folder: TempDir) -> Option<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = match spawned.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                skipped(&format!("there is no {name}"));
                return None;
            }
            Err(error) => panic!("starting {name}: {error}"),
        };
        let log = Log::follow(child.stderr.take().expect("standard error is piped"));
        let peer = Self { child, log, address, _folder: folder };
        let listens = patiently(|| TcpStream::connect(address).ok()).is_some();
        assert!(listens, "{name} does not listen:\n{}", peer.log.tail());
        Some(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where Debian puts the programs of administrators, who else's `PATH` may not lead there.
fn installed(name: &str) -> String {
    let path = format!("/usr/sbin/{name}");
    if fs::exists(&path).unwrap_or(false) { path } else { name.to_owned() }
}

fn folder() -> TempDir {
    TempDir::with_prefix("five-ways-contract-").expect("a folder for a configuration")
}
