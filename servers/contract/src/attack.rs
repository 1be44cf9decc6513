//! Slow clients by the thousand: `slowhttptest`, which nobody here has written.

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::{Server, skipped};

/// What the clients are slow in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slow {
    /// Their heads, which never end (slowloris).
    Heads,
    /// The content of their requests, a few bytes at a time.
    Bodies,
    /// Reading the answer of so many bytes.
    Readers(u64),
}

/// A running `slowhttptest`. Dropping it kills it.
#[derive(Debug)]
#[must_use]
pub struct Attack {
    child: Child,
    slow: Slow,
}

impl Attack {
    /// Has `connections` clients be slow for so many seconds. `None`, said aloud, where there is no
    /// `slowhttptest`.
    #[track_caller]
    pub fn start(server: &Server, slow: Slow, connections: u32, seconds: u32) -> Option<Self> {
        let mut command = Command::new("sh");
        // It needs a descriptor for each, and raises no limit itself.
        command.args(["-c", "ulimit -n $(ulimit -H -n); exec \"$0\" \"$@\"", "slowhttptest"]);
        command.args(arguments(server.address(), slow));
        command.args(["-c", &connections.to_string(), "-r", "500", "-l", &seconds.to_string()]);
        if let Err(error) = Command::new("slowhttptest").arg("-h").stdout(Stdio::null()).status()
            && error.kind() == ErrorKind::NotFound
        {
            skipped("there is no slowhttptest");
            return None;
        }
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = spawned.spawn().unwrap_or_else(|error| panic!("starting sh: {error}"));
        Some(Self { child, slow })
    }

    /// Whether it still goes on.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("waiting for a child of ours").is_none()
    }

    /// It must have ended because its time was over, and not for want of anything.
    #[track_caller]
    pub fn ends(mut self) {
        let mut text = String::new();
        let output = self.child.stdout.as_mut().expect("standard output is piped");
        output.read_to_string(&mut text).expect("its output is text");
        let status = self.child.wait().expect("waiting for a child of ours");
        let in_order = status.success() && text.contains("Hit test time limit");
        assert!(in_order, "slowhttptest for slow {:?}: {status}\n{text}", self.slow);
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn arguments(address: SocketAddr, slow: Slow) -> Vec<String> {
    let url = |path: &str| format!("http://{address}{path}");
    let (options, url) = match slow {
        Slow::Heads => ("-H -i 2 -t GET", url("/")),
        Slow::Bodies => ("-B -i 2 -s 100000 -x 10 -t POST", url("/anything")),
        // A window of a few bytes, of which a few are read every second.
        Slow::Readers(length) => ("-X -w 1 -y 5 -n 1 -z 5", url(&format!("/bytes/{length}"))),
    };
    options.split(' ').map(str::to_owned).chain(["-u".to_owned(), url]).collect()
}
