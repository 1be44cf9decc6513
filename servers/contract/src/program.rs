//! A server's program, about to be run: its options, its environment, its limits.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{self, Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::{env, fmt};

use crate::evidence::Case;
use crate::{Backend, Server, eventually};

/// One backend's program and what it is to be given.
#[derive(Debug)]
#[must_use]
pub struct Program {
    backend: Backend,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    prelude: Vec<String>,
    listener: Option<TcpListener>,
    admin: Option<SocketAddr>,
    case: Option<Arc<Case>>,
}

impl Program {
    /// The program of `backend`, with the options that choose it and no others.
    pub fn new(backend: Backend) -> Self {
        let options = backend.options().iter().map(ToString::to_string).collect();
        Self {
            backend,
            options,
            environment: Vec::new(),
            prelude: Vec::new(),
            listener: None,
            admin: None,
            case: None,
        }
    }

    /// Adds options.
    pub fn options(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(ToString::to_string));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets the program have no more open files than this, hard and soft.
    pub fn open_files(mut self, limit: u32) -> Self {
        self.prelude.push(format!("ulimit -n {limit}"));
        self
    }

    /// Hands over a listening socket, as systemd would.
    pub fn listen_fd(mut self, listener: TcpListener) -> Self {
        // It travels as standard input, so that no fork handler is needed to place it.
        self.prelude.push("exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$".to_owned());
        self.listener = Some(listener);
        self
    }

    /// Gives it an admin port, which [`Server::connect_admin`] finds.
    pub fn with_admin(mut self) -> Self {
        let admin = own_address();
        self.admin = Some(admin);
        self.options(&["--admin", &admin.to_string()])
    }

    /// Has the evidence of its connections kept together, with that of an origin behind it.
    pub(crate) fn in_case(mut self, case: &Arc<Case>) -> Self {
        self.case = Some(Arc::clone(case));
        self
    }

    /// Starts a server on a port of the kernel's choice and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Server {
        let program = self.options(&["--listen", "127.0.0.1:0"]);
        let (backend, admin, case) = (program.backend, program.admin, program.case.clone());
        Server::new(backend, program.spawn(), admin, case)
    }

    /// Runs the program to its end, which it must reach by itself.
    pub fn run(self) -> Outcome {
        let (backend, options) = (self.backend, self.options.join(" "));
        let mut running = Running(self.spawn());
        let status = eventually(&format!("{backend}: the end of `{options}`"), || {
            running.0.try_wait().expect("waiting for a child of ours")
        });
        let (stdout, stderr) = (read(running.0.stdout.take()), read(running.0.stderr.take()));
        Outcome { backend, options, code: status.code(), stdout, stderr }
    }

    fn spawn(self) -> Child {
        let program = self.backend.program();
        let mut command = if self.prelude.is_empty() {
            Command::new(&program)
        } else {
            let mut shell = Command::new("sh");
            shell
                .arg("-c")
                .arg(format!("{}; exec \"$0\" \"$@\"", self.prelude.join("; ")))
                .arg(&program);
            shell
        };
        for (name, _) in env::vars_os().filter(|(name, _)| decides(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        let stdin =
            self.listener.map_or_else(Stdio::null, |listener| OwnedFd::from(listener).into());
        command
            .args(&self.options)
            .envs(self.environment)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("starting {}: {error}", program.display()))
    }
}

/// A loopback address that no other server has: the line that a server logs at its start names the
/// main port only, so that the kernel can't be left to choose this one.
pub(crate) fn own_address() -> SocketAddr {
    static SERVERS: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = process::id().to_be_bytes();
    let server = SERVERS.fetch_add(1, Ordering::Relaxed);
    SocketAddr::from((Ipv4Addr::new(127, high | 0x80, low, server), 9901))
}

/// Whether a variable of the tests' own environment would change what a server does.
fn decides(name: &str) -> bool {
    name.starts_with("FIVE_") || name.starts_with("LISTEN_") || name == "RUST_LOG"
}

fn read(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).expect("reading a pipe of ours");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Ends a program that did not end by itself.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    backend: Backend,
    options: String,
    /// The exit code, if it was no signal that ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
}

impl Outcome {
    /// The exit code must be this.
    #[track_caller]
    pub fn code(&self, expected: i32) -> &Self {
        assert!(self.code == Some(expected), "exit {expected} was due\n{self}");
        self
    }

    /// Standard error must be one line that holds each of `parts`.
    #[track_caller]
    pub fn one_line(&self, parts: &[&str]) -> &Self {
        assert!(self.stderr.trim_end().lines().count() == 1, "one line was due\n{self}");
        for part in parts {
            assert!(self.stderr.contains(part), "a line with {part:?} was due\n{self}");
        }
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} → {:?}", self.backend, self.options, self.code)?;
        writeln!(f, "--- stdout ---\n{}", self.stdout)?;
        write!(f, "--- stderr ---\n{}", self.stderr)
    }
}
