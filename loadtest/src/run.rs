//! `loadtest run`: one test against any server, with a summary in the manner of `wrk`.

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;

use anyhow::{Context, bail};
use url::{Position, Url};

use crate::limits;
use crate::load::{self, Load, Summary};
use crate::options::{RunOptions, Unusable};
use crate::report::{Live, json, terminal};
use crate::wire::{Body, Exchange};

/// A run that ended without a server, whatever its table says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Failed {
    #[error("there was not one right answer in the window")]
    Unanswered,
    #[error(
        "the server was gone at the end: the last two tries of each of the {0} connections got \
         no answer"
    )]
    Gone(usize),
}

/// Looks whether the answer is the right one, runs the test and prints what it found. Fails if
/// there was not one right answer in the window, or no server any more at its end.
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
    load::probe(&load).with_context(|| options.url.to_string())?;
    // Not before that: a run that does not begin leaves an older file as it was.
    let figures = options
        .json
        .as_ref()
        .map(|path| File::create(path).map_err(|error| Unusable::path("--json", path, error)));
    let figures = figures.transpose()?;

    let summary = load::drive(load, &mut Live::new(options.connections))?;
    print!("{}", terminal::summary(&options.url, options.connections, &summary));
    if let Some(mut file) = figures {
        let text = json::summary(&options.url, options.connections, &summary)?;
        file.write_all(text.as_bytes()).context("can't write the figures")?;
    }
    verdict(options.connections, &summary)?;
    Ok(ExitCode::SUCCESS)
}

/// Errors on the way are for the table to tell; a server that is not there at the end is a failure.
fn verdict(connections: usize, summary: &Summary) -> Result<(), Failed> {
    if summary.lost == connections {
        Err(Failed::Gone(connections))
    } else if summary.requests == 0 {
        Err(Failed::Unanswered)
    } else {
        Ok(())
    }
}

fn exchange(options: &RunOptions) -> anyhow::Result<Exchange> {
    let url = &options.url;
    let content = match &options.body {
        Some(path) => fs::read(path).map_err(|error| Unusable::path("--body", path, error))?,
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
