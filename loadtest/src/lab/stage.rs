//! What a cell plays on: a fresh server and, if it is to forward, a fresh upstream beside it.
//!
//! The upstream is the same program with the same options for all backends, and none of them:
//! `loadtest floor`. It shares the generator's cores, so that the server's are the server's alone.

use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::{Cell, Cores, Server};
use crate::load::Upstream;

/// The running programs of a cell, but for the generator.
#[derive(Debug)]
pub(crate) struct Stage {
    // In the order in which they are ended: the server first, while its upstream still answers.
    server: Server,
    upstream: Option<Server>,
}

impl Stage {
    /// Starts what the cell needs from the folder `programs`, and waits until all of it listens.
    pub(crate) fn set(cell: Cell, programs: &Path, cores: &Cores) -> anyhow::Result<Self> {
        let upstream = cell.scenario.upstream().map(|upstream| {
            let program = programs.join("loadtest");
            // This process keeps to the generator's cores, and what it spawns inherits that.
            Server::start(&program, &canned(upstream), Command::spawn).context("the upstream")
        });
        let upstream = upstream.transpose()?;
        let (program, fixed) = cell.backend.program();
        let mut arguments: Vec<String> =
            fixed.iter().map(|&argument| argument.to_owned()).collect();
        if let Some(upstream) = &upstream {
            arguments.extend(forwarding(upstream, cell.connections));
        }
        let server = Server::start(&programs.join(program), &arguments, |command| {
            cores.on_servers(|| command.spawn()).map_err(io::Error::from)?
        })?;
        Ok(Self { server, upstream })
    }

    /// The server under test.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// What it forwards to.
    pub(crate) fn upstream(&self) -> Option<&Server> {
        self.upstream.as_ref()
    }

    /// If one of them has ended by itself: how, and its last words.
    pub(crate) fn obituary(&mut self) -> Option<String> {
        self.server.obituary().or_else(|| {
            let obituary = self.upstream.as_mut()?.obituary()?;
            Some(format!("the upstream: {obituary}"))
        })
    }
}

fn canned(upstream: Upstream) -> Vec<String> {
    let delay = humantime::format_duration(upstream.delay).to_string();
    let bytes = upstream.bytes.to_string();
    ["floor", "--bytes", &bytes, "--delay", &delay].map(str::to_owned).to_vec()
}

/// The options that make a server forward. The pool has room for every request that can be under
/// way: the size of a pool is not what is compared.
fn forwarding(upstream: &Server, connections: usize) -> Vec<String> {
    let url = format!("http://{}", upstream.startup().address);
    let most = connections.to_string();
    ["--upstream", &url, "--upstream-connections", &most, "--upstream-queue", &most]
        .map(str::to_owned)
        .to_vec()
}
