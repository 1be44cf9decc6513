//! The order of things: who serves, who takes over, who ends.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::control::Handle;
use super::launcher::{Launch, Launcher};
use super::options::Backend;
use super::server::{Server, StartError};
use super::signals::Signals;

/// How much longer than its requests may take a backend may need to end.
const MARGIN: Duration = Duration::from_secs(5);
/// How long the packets of whoever has begun to connect may be on their way.
const ARRIVAL: Duration = Duration::from_millis(50);
const POLL: Duration = Duration::from_millis(5);

/// Who serves, as anybody may ask at any time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) backend: Backend,
    /// The options that it was given and others are not.
    pub(super) options: Vec<String>,
    pub(super) pid: u32,
    /// Where clients come in.
    pub(super) address: SocketAddr,
    /// Where the backend's own `/metrics` and `/healthz` are.
    pub(super) admin: Option<SocketAddr>,
    /// How often another has taken over.
    pub(super) swaps: u64,
    /// Who is about to take over, or has just done so while the one before still drains.
    pub(super) swapping_to: Option<Backend>,
}

/// A swap that somebody asks for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) launch: Launch,
    pub(super) answer: oneshot::Sender<Result<Swapped, SwapError>>,
}

/// What came of a swap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Swapped {
    pub(super) from: Backend,
    pub(super) to: Backend,
    /// Where clients come in.
    pub(super) address: SocketAddr,
    /// From the request to the moment at which the new one was ready.
    pub(super) ready_seconds: f64,
    /// From then to the end of the one before.
    pub(super) drain_seconds: f64,
    /// What the one before did not do in order, such as cutting requests.
    pub(super) complaint: Option<String>,
}

/// Why there was no swap; or none to speak of, since the stage ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum SwapError {
    #[error("{0} did not start, and {1} goes on: {2}")]
    Start(Backend, Backend, StartError),
    #[error("the stage ends")]
    Ending,
}

/// Keeps one backend serving.
pub(super) struct Supervisor {
    launcher: Launcher,
    serving: Server,
    /// The one before, while it drains.
    retiring: Option<Server>,
    requests: mpsc::Receiver<Request>,
    status: watch::Sender<Status>,
    signals: Signals,
    /// Whether a signal has come.
    ending: bool,
}

impl Supervisor {
    /// For a stage whose first backend is ready. The handle is for whoever has something to ask.
    pub(super) fn new(launcher: Launcher, serving: Server, signals: Signals) -> (Self, Handle) {
        let (asks, requests) = mpsc::channel(1);
        let (status, seen) = watch::channel(status(&serving, launcher.address(), 0));
        let (retiring, ending) = (None, false);
        let supervisor = Self { launcher, serving, retiring, requests, status, signals, ending };
        (supervisor, Handle { status: seen, requests: asks })
    }

    /// Serves until a signal comes.
    ///
    /// # Errors
    /// If the backend ends by itself, or does not end in order.
    pub(super) async fn run(mut self) -> anyhow::Result<ExitCode> {
        while !self.ending {
            tokio::select! {
                biased;
                () = self.signals.next() => self.ending = true,
                status = self.serving.ended() => return self.bereaved(&status).await,
                Some(request) = self.requests.recv() => self.answer(request).await,
            }
        }
        self.end().await
    }

    async fn answer(&mut self, Request { launch, answer }: Request) {
        let to = launch.backend;
        self.status.send_modify(|status| status.swapping_to = Some(to));
        let outcome = self.swap(launch).await;
        self.status.send_modify(|status| status.swapping_to = None);
        match &outcome {
            Ok(Swapped { from, to, ready_seconds, drain_seconds, complaint, .. }) => {
                let seconds = |seconds| format!("{seconds:.2}s");
                let (ready, drained) = (seconds(ready_seconds), seconds(drain_seconds));
                tracing::info!(%from, %to, ready, drained, "swapped");
                if let Some(complaint) = complaint {
                    tracing::warn!("{complaint}");
                }
            }
            Err(error) => tracing::warn!("{error}"),
        }
        // Whoever asked may be gone.
        let _ = answer.send(outcome);
    }

    /// Has another backend take over. If it does not start, nothing changes.
    async fn swap(&mut self, launch: Launch) -> Result<Swapped, SwapError> {
        let (from, to, began) = (self.serving.launch.backend, launch.backend, Instant::now());
        let next = tokio::select! {
            started = self.launcher.start(launch) => started,
            () = self.signals.next() => {
                self.ending = true;
                return Err(SwapError::Ending);
            }
        };
        let next = next.map_err(|error| SwapError::Start(to, from, error))?;
        let ready = Instant::now();
        let (address, swaps) = (self.launcher.address(), self.status.borrow().swaps + 1);
        let status = Status { swapping_to: Some(to), ..status(&next, address, swaps) };
        self.status.send_replace(status);
        let before = self.retiring.insert(mem::replace(&mut self.serving, next));
        before.terminate();
        let complaint = tokio::select! {
            complaint = retire(before, self.launcher.drain_time_out + MARGIN) => complaint,
            () = self.signals.next() => {
                self.ending = true;
                return Err(SwapError::Ending);
            }
            // `run` looks into that.
            _ = self.serving.ended() => return Err(SwapError::Ending),
        };
        self.retiring = None;
        Ok(Swapped {
            from,
            to,
            address,
            ready_seconds: (ready - began).as_secs_f64(),
            drain_seconds: ready.elapsed().as_secs_f64(),
            complaint,
        })
    }

    /// The backend has ended without being told to.
    async fn bereaved(mut self, status: &io::Result<ExitStatus>) -> anyhow::Result<ExitCode> {
        let (name, words) = (self.serving.launch.backend, self.serving.all_last_words().await);
        if let Some(before) = &mut self.retiring
            && let Some(complaint) = retire(before, self.launcher.drain_time_out + MARGIN).await
        {
            tracing::warn!("{complaint}");
        }
        match status {
            Ok(status) => bail!("{name} ended by itself ({status}), saying: {words}"),
            Err(error) => bail!("can't tell whether {name} still runs: {error}"),
        }
    }

    /// Ends the backend so that whoever has connected is served. A second signal cuts that short.
    async fn end(self) -> anyhow::Result<ExitCode> {
        let Self { launcher, mut serving, retiring, mut signals, .. } = self;
        tracing::info!(backend = %serving.launch.backend, "ending");
        let limit = launcher.drain_time_out + MARGIN;
        let in_order = async {
            empty(&launcher).await;
            serving.terminate();
            let last = retire(&mut serving, limit).await;
            match retiring {
                Some(mut before) => retire(&mut before, limit).await.or(last),
                None => last,
            }
        };
        let complaint = tokio::select! {
            complaint = in_order => complaint,
            () = signals.next() => Some("a second signal ended everything at once".to_owned()),
        };
        match complaint {
            None => Ok(ExitCode::SUCCESS),
            Some(complaint) => bail!(complaint),
        }
    }
}

/// Has the backend accept whoever has connected, and nobody else connect. A backend that drains leaves
/// the queue to those who share it, and soon nobody will.
async fn empty(launcher: &Launcher) {
    if let Err(error) = launcher.socket.stop_inviting() {
        tracing::warn!(%error, "who connects now may be reset");
    }
    sleep(ARRIVAL).await;
    let accepted = async {
        while !launcher.socket.is_empty() {
            sleep(POLL).await;
        }
    };
    if timeout(launcher.drain_time_out, accepted).await.is_err() {
        tracing::warn!("the backend accepts nobody: who waits for that will be reset");
    }
}

/// Waits for the end of a backend that was told to, and ends it if that takes longer. What was not in
/// order, if anything was not.
async fn retire(server: &mut Server, limit: Duration) -> Option<String> {
    let name = server.launch.backend;
    match timeout(limit, server.ended()).await {
        Ok(Ok(status)) if status.success() => None,
        Ok(Ok(status)) => {
            let words = server.all_last_words().await;
            Some(format!("{name} did not end in order ({status}), saying: {words}"))
        }
        Ok(Err(error)) => Some(format!("can't tell whether {name} has ended: {error}")),
        Err(_) => {
            server.kill().await;
            let limit = humantime::format_duration(limit);
            Some(format!("{name} did not end within {limit}, and was killed"))
        }
    }
}

fn status(server: &Server, address: SocketAddr, swaps: u64) -> Status {
    let Launch { backend, options } = server.launch.clone();
    let (pid, admin) = (server.pid, server.admin);
    Status { backend, options, pid, address, admin, swaps, swapping_to: None }
}
