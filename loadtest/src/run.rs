//! `loadtest run`: one test against any server, with a summary in the manner of `wrk`.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;

use anyhow::{Context, bail};
use url::{Position, Url};

use crate::limits;
use crate::load::{self, Load};
use crate::options::RunOptions;
use crate::report::{json, terminal};
use crate::wire::{Body, Exchange};

/// Runs the test, prints what it found, and fails if there was not one right answer.
pub(crate) fn run(options: &RunOptions, open_files: u64) -> anyhow::Result<ExitCode> {
    limits::check(options.connections, open_files)?;
    let load = Load {
        exchange: exchange(options)?,
        connections: options.connections,
        connect_time_out: options.connect_timeout,
        time_out: options.timeout,
        warm_up: options.warm_up,
        window: options.duration,
    };
    let summary = load::drive(load, &mut ())?;
    print!("{}", terminal::summary(&options.url, options.connections, &summary));
    if let Some(path) = &options.json {
        let text = json::summary(&options.url, options.connections, &summary)?;
        fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(if summary.requests > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn exchange(options: &RunOptions) -> anyhow::Result<Exchange> {
    let url = &options.url;
    let content = match &options.body {
        Some(path) => fs::read(path).with_context(|| format!("can't read {}", path.display()))?,
        None => Vec::new(),
    };
    let method = if content.is_empty() { "GET" } else { "POST" };
    let body = if options.echo { Body::Exactly(content.clone()) } else { Body::Any };
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let target = &url[Position::BeforePath..Position::AfterQuery];
    Ok(Exchange::new(resolve(url)?, host, method, target, &content, body))
}

fn resolve(url: &Url) -> anyhow::Result<SocketAddr> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(80);
    let addresses = (host, port).to_socket_addrs();
    match addresses.with_context(|| format!("can't resolve {host}"))?.next() {
        Some(address) => Ok(address),
        None => bail!("{host} has no address"),
    }
}
