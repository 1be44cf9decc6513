//! A server's program, about to be run: its options, its environment, its limits.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{self, Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::{env, fmt};

use crate::evidence::Case;
use crate::{Backend, Server, eventually, skipped};

/// One backend's program and what it is to be given.
#[derive(Debug)]
#[must_use]
pub struct Program {
    backend: Backend,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    prelude: Vec<String>,
    threads: Option<u32>,
    listener: Option<TcpListener>,
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
            threads: None,
            listener: None,
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

    /// Runs the program as a user who is nobody else and may have no more threads than this. Root
    /// alone may do that, whom the limit would not hold.
    pub fn threads(mut self, limit: u32) -> Self {
        self.threads = Some(limit);
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
    pub fn with_admin(self) -> Self {
        self.options(&["--admin", "127.0.0.1:0"])
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
        let (backend, case) = (program.backend, program.case.clone());
        Server::new(backend, program.spawn(), case)
    }

    /// Starts a server that panics over each answer of 418. `None`, said aloud, if that is a release
    /// build, which nobody can make panic.
    #[track_caller]
    pub fn start_fragile(self) -> Option<Server> {
        let server = self.env("FIVE_PANIC_ON", "418").start();
        // It warns of that before it says where it listens.
        if server.log().count("FIVE_PANIC_ON") == 0 {
            skipped("the servers are release builds, which can't be made to panic,");
            return None;
        }
        Some(server)
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
        let mut command = if self.prelude.is_empty() && self.threads.is_none() {
            Command::new(&program)
        } else {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(self.script()).arg(&program);
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

    /// What becomes the program, which it is given as its name.
    fn script(&self) -> String {
        let mut steps = self.prelude.clone();
        steps.push(match self.threads {
            None => "exec \"$0\" \"$@\"".to_owned(),
            Some(limit) => {
                let user = own_user();
                // The way to the program may be closed to others: they are handed it open.
                format!(
                    "exec 9<\"$0\"; exec setpriv --reuid={user} --regid={user} --clear-groups \
                     prlimit --nproc={limit} /proc/self/fd/9 \"$@\""
                )
            }
        });
        steps.join("; ")
    }
}

/// A user who runs nothing else: the limit on threads is on all that a user runs.
fn own_user() -> u32 {
    static USERS: AtomicU32 = AtomicU32::new(0);
    let user = USERS.fetch_add(1, Ordering::Relaxed);
    // Beyond those that systems give away.
    0x7000_0000 + (process::id() % 0x10_0000) * 0x40 + user % 0x40
}

/// A loopback address that no other server has, for one that does not say which port the kernel chose
/// for it.
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
