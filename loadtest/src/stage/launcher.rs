//! Starts backends on the stage's socket.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use command_fds::{CommandFdExt, FdMapping};

use super::StageOptions;
use super::options::Backend;
use super::server::{Server, StartError};
use super::socket::Socket;

/// The first descriptor that is handed over (`sd_listen_fds`(3)).
const LISTEN_FDS_START: i32 = 3;

/// A backend, and the options that it alone is given.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    pub(super) backend: Backend,
    pub(super) options: Vec<String>,
}

/// What all backends of a stage have in common.
#[derive(Debug)]
pub(super) struct Launcher {
    pub(super) socket: Socket,
    /// Where the servers' programs are: beside this one.
    programs: PathBuf,
    options: Vec<String>,
    start_time_out: Duration,
    /// How long a backend's requests may take once it was told to end.
    pub(super) drain_time_out: Duration,
}

impl Launcher {
    /// For backends that share this socket.
    ///
    /// # Errors
    /// If this program does not know where it is.
    pub(super) fn new(options: &StageOptions, socket: Socket) -> anyhow::Result<Self> {
        // Asked now: once the program has been built anew, this one has no name any more.
        let program = env::current_exe().context("can't tell where the servers' programs are")?;
        Ok(Self {
            socket,
            programs: program.parent().unwrap_or(Path::new(".")).to_owned(),
            options: options.server_options.clone(),
            start_time_out: options.start_timeout,
            drain_time_out: options.drain_timeout,
        })
    }

    /// Where clients come in.
    pub(super) fn address(&self) -> SocketAddr {
        self.socket.address()
    }

    /// Starts a backend, and waits until it is ready. Must be called on the thread that lives as long
    /// as the process. Whoever stops waiting ends the backend.
    ///
    /// # Errors
    /// If it does not get ready in time; it has ended then.
    pub(super) async fn start(&self, launch: Launch) -> Result<Server, StartError> {
        let (name, program) = (launch.backend, self.programs.join(launch.backend.program()));
        if !program.is_file() {
            return Err(StartError::NoProgram { program, package: name.program() });
        }
        let command = self.command(&program, &launch.options).map_err(StartError::Spawn)?;
        let mut server = Server::spawn(command, launch).map_err(StartError::Spawn)?;
        let ready = tokio::time::timeout(self.start_time_out, server.ready(self.address())).await;
        let failed = match ready {
            Ok(Ok(())) => return Ok(server),
            Ok(Err(failed)) => failed,
            Err(_) => StartError::TooLate { limit: self.start_time_out, said: server.last_words() },
        };
        server.kill().await;
        Err(failed)
    }

    /// This program once more, which becomes the server.
    fn command(&self, program: &Path, options: &[String]) -> io::Result<Command> {
        let socket = FdMapping { parent_fd: self.socket.share()?, child_fd: LISTEN_FDS_START };
        // It may have been built anew since this process started.
        let mut command = Command::new("/proc/self/exe");
        command
            .args(["hand-over", "--parent", &process::id().to_string(), "--"])
            .arg(program)
            .args(["--admin", "127.0.0.1:0"])
            .args(["--drain-timeout", &format!("{}us", self.drain_time_out.as_micros())])
            .args(&self.options)
            .args(options)
            .env("RUST_LOG", log_filter(env::var("RUST_LOG").ok()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is the stage's to pass on.
            .process_group(0);
        command.fd_mappings(vec![socket]).map_err(io::Error::other)?;
        Ok(command)
    }
}

/// Whatever the caller's own taste in logs, the start-up line must be there.
fn log_filter(own: Option<String>) -> String {
    match own.filter(|filter| !filter.is_empty()) {
        Some(own) => format!("{own},process::log=info"),
        None => "info".to_owned(),
    }
}
