//! `loadtest stage`: one address, served by one backend after the other.
//!
//! The stage owns the listening socket and never accepts from it. Each backend gets it as systemd
//! would hand it over (descriptor 3, `LISTEN_FDS`), so that two of them can share it for a while:
//!
//! ```text
//!   loadtest swap may ──► control ─┐
//!                                stage
//!                                  │ socket: its queue outlives every backend
//!                    ┌─────────────┴─────────────┐
//!   clients ──► server-tokio ── SIGTERM     server-may ◄── clients
//!               no longer accepts,          accepts
//!               finishes what began
//! ```
//!
//! | at | what happens |
//! |---|---|
//! | a swap | the next backend starts on the same socket and says that it is ready; only then the one before is told to end, and drains. If the next does not start, nothing else happens |
//! | the end | nobody begins to connect any more; what the queue holds is accepted; then the backend drains |
//! | a backend's own end | that is an error, and the stage's end: exit code 1 |
//! | the stage's own death | the kernel tells its backends, which drain |
//!
//! | to read | where |
//! |---|---|
//! | the order of all that | [`supervisor`] |
//! | how a backend gets the socket | [`launcher`], [`hand_over`](mod@hand_over) |
//! | what `loadtest swap` and others can ask | [`control`] |

mod control;
mod hand_over;
mod launcher;
mod options;
mod server;
mod signals;
mod socket;
mod supervisor;
mod swap;

use std::process::ExitCode;

use anyhow::Context;
use tokio::net::TcpListener;

pub(crate) use self::hand_over::hand_over;
pub(crate) use self::options::{HandOverOptions, StageOptions, SwapOptions};
pub(crate) use self::swap::swap;

use self::launcher::{Launch, Launcher};
use self::signals::Signals;
use self::socket::Socket;
use self::supervisor::Supervisor;

/// Opens the socket, starts the first backend, and swaps it as often as it is told to.
///
/// # Errors
/// If the addresses can't be had, the first backend does not start, a backend ends by itself, or one
/// that was told to end did not do so in order.
pub(crate) fn run(options: &StageOptions) -> anyhow::Result<ExitCode> {
    options::check(&options.server_options)?;
    // The kernel tells the backends when the thread ends that started them, and tells them again when
    // another ends that took its place. So there is one thread and no other: told twice, they would
    // not drain.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: &StageOptions) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::watch().context("can't watch for signals")?;
    let control = TcpListener::bind(options.control).await;
    let control = control.with_context(|| {
        format!("can't listen on {} (--control): is there another stage?", options.control)
    })?;
    let socket = Socket::listen(options.listen)
        .with_context(|| format!("can't listen on {} (--listen)", options.listen))?;
    let launcher = Launcher::new(options, socket)?;
    let first = Launch { backend: options.backend, options: Vec::new() };
    let first = tokio::select! {
        started = launcher.start(first) => started,
        () = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let first = first.with_context(|| format!("{} did not start", options.backend))?;
    let (address, reached) = (launcher.address(), control.local_addr()?);
    let (supervisor, handle) = Supervisor::new(launcher, first, signals);
    tokio::spawn(async move { axum::serve(control, control::router(handle)).await });
    tracing::info!(backend = %options.backend, %address, control = %reached, "on stage");
    supervisor.run().await
}
