//! What a cell plays on: a fresh server and, if it is to forward, a fresh upstream beside it.
//!
//! The upstream is the same program with the same options for all, and none of them: `loadtest
//! floor`. It shares the generator's cores, so that the server's are the server's alone. A target
//! is there already: nothing is started for it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};

use anyhow::Context;
use url::Url;

use super::contender::{Backend, Kind};
use super::server::Obituary;
use super::startup::Log;
use super::{Cell, Cores, Server, peer};
use crate::load::Upstream;

/// The running programs of a cell, but for the generator.
#[derive(Debug)]
pub(crate) struct Stage {
    // In the order in which they are ended: the server first, while its upstream still answers.
    player: Player,
    upstream: Option<Server>,
}

/// The server under test.
#[derive(Debug)]
enum Player {
    /// Started for this cell.
    Here(Server),
    /// There all the time; it says itself what it costs.
    Elsewhere { address: SocketAddr, metrics: Url },
}

impl Stage {
    /// Starts what the cell needs from the folder `programs`, and waits until all of it listens.
    pub(crate) fn set(cell: &Cell, programs: &Path, cores: &Cores) -> anyhow::Result<Self> {
        let upstream = cell.scenario.upstream().map(|upstream| {
            let mut command = Command::new(programs.join("loadtest"));
            command.args(canned(upstream));
            // This process keeps to the generator's cores, and what it spawns inherits that.
            Server::start(command, Command::spawn).context("the upstream")
        });
        let upstream = upstream.transpose()?;
        let forwards_to = upstream.as_ref().map(|upstream| upstream.startup().address);
        let on_its_cores = |command: &mut Command| -> io::Result<Child> {
            cores.on_servers(|| command.spawn()).map_err(io::Error::from)?
        };
        let player = match &cell.contender.kind {
            Kind::Backend(backend) => {
                let command = ours(*backend, programs, forwards_to, cell.connections);
                Player::Here(Server::start(command, on_its_cores)?)
            }
            Kind::Peer(peer) => {
                let count = cores.server.len();
                let prepared = peer::prepare(peer, forwards_to, cell.connections, count)?;
                Player::Here(Server::start_peer(prepared, on_its_cores)?)
            }
            Kind::Target(target) => {
                Player::Elsewhere { address: target.address()?, metrics: target.metrics() }
            }
        };
        Ok(Self { player, upstream })
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        match &self.player {
            Player::Here(server) => server.startup().address,
            Player::Elsewhere { address, .. } => *address,
        }
    }

    /// The server, if it was started here.
    pub(crate) fn server(&self) -> Option<&Server> {
        match &self.player {
            Player::Here(server) => Some(server),
            Player::Elsewhere { .. } => None,
        }
    }

    /// Where its figures are, if it was not.
    pub(crate) fn metrics(&self) -> Option<&Url> {
        match &self.player {
            Player::Here(_) => None,
            Player::Elsewhere { metrics, .. } => Some(metrics),
        }
    }

    /// What it said when it was ready.
    pub(crate) fn announcement(&self) -> String {
        match &self.player {
            Player::Here(server) => server.startup().line.clone(),
            Player::Elsewhere { address, metrics } => format!("at {address}, figures at {metrics}"),
        }
    }

    /// What its log has told so far.
    pub(crate) fn log(&self) -> Log {
        self.server().map(Server::log).unwrap_or_default()
    }

    /// What it forwards to.
    pub(crate) fn upstream(&self) -> Option<&Server> {
        self.upstream.as_ref()
    }

    /// If one of them has ended by itself: who and how.
    pub(crate) fn obituary(&mut self) -> Option<(&'static str, Obituary)> {
        let of_server = match &mut self.player {
            Player::Here(server) => server.obituary(),
            Player::Elsewhere { .. } => None,
        };
        let of_server = of_server.map(|obituary| ("", obituary));
        of_server.or_else(|| Some(("the upstream: ", self.upstream.as_mut()?.obituary()?)))
    }
}

fn canned(upstream: Upstream) -> Vec<String> {
    let delay = humantime::format_duration(upstream.delay).to_string();
    let bytes = upstream.bytes.to_string();
    ["floor", "--bytes", &bytes, "--delay", &delay].map(str::to_owned).to_vec()
}

/// One of ours. Where it forwards, the pool has room for every request that can be under way: the
/// size of a pool is not what is compared.
fn ours(
    backend: Backend,
    programs: &Path,
    upstream: Option<SocketAddr>,
    connections: usize,
) -> Command {
    let (program, arguments) = backend.program();
    let mut command = Command::new(programs.join(program));
    command.args(arguments);
    if let Some(upstream) = upstream {
        let (url, most) = (format!("http://{upstream}"), connections.to_string());
        command.args(["--upstream", &url]);
        command.args(["--upstream-connections", &most, "--upstream-queue", &most]);
    }
    command
}
