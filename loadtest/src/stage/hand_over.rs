//! `loadtest hand-over`: what a backend is before it is one.
//!
//! `LISTEN_PID` has to be the number of the process that the socket is for (`sd_listen_fds`(3)), which
//! nobody knows before there is such a process. So the stage starts this program once more, with the
//! socket as descriptor 3, and that then becomes the server.

use std::os::unix::process::CommandExt;
use std::process::{self, Command, ExitCode};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::HandOverOptions;

/// Becomes the server. Returns only if that fails.
pub(crate) fn hand_over(options: &HandOverOptions) -> anyhow::Result<ExitCode> {
    // Holds for the server as well: whatever ends the stage, its backend drains.
    set_parent_process_death_signal(Some(Signal::TERM)).context("can't watch the stage")?;
    let parent = getppid().map(Pid::as_raw_pid);
    ensure!(parent == Some(options.parent), "the stage has ended in the meantime");
    let [program, arguments @ ..] = options.command.as_slice() else {
        bail!("it is for loadtest alone to start this");
    };
    let error = Command::new(program)
        .args(arguments)
        .env("LISTEN_FDS", "1")
        .env("LISTEN_PID", process::id().to_string())
        .exec();
    Err(error).with_context(|| format!("can't start {}", program.display()))
}
