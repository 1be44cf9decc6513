//! `loadtest run`: one test against any server, with a summary in the manner of `wrk`.

mod options;
mod text;

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use url::{Position, Url};

pub(crate) use self::options::RunOptions;
use crate::limits;
use crate::load::{self, Load, Script, Summary};
use crate::options::Unusable;
use crate::report::{Live, json};
use crate::wire::{Body, Exchange, Origin};

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
    #[error(
        "the server did not answer at the end: {0} request(s) were under way when the window closed, \
         and none got an answer for as long as one may take"
    )]
    Silent(u64),
    #[error("the server was gone at the end: asked once more, it did not answer")]
    Deaf,
    #[error("a threshold was not kept: {0}")]
    Thresholds(String),
}

/// The exit code of a program that was interrupted, by convention.
const INTERRUPTED: u8 = 130;

/// Looks whether the answer is the right one, runs the test and prints what it found. Fails if
/// there was not one right answer in the window, or no server any more at its end.
pub(crate) fn run(options: &RunOptions, open_files: u64) -> anyhow::Result<ExitCode> {
    let connections = options.connections();
    let generators =
        options.generators.unwrap_or(1).max(limits::generators(connections, open_files)?);
    if let Some((option, other, reason)) = options.contradiction(generators) {
        return Err(Unusable::beside(option, &other, reason).into());
    }
    let load = load(options, generators)?;
    load::probe(&load).with_context(|| options.expected())?;
    let figures = options.json.as_deref().map(writable).transpose()?;

    let again = load.clone();
    let summary = load::drive(load, &mut Live::new(connections))?;
    print!("{}", text::summary(&options.asked(), connections, &summary));
    if let Some(mut file) = figures {
        let text = json::summary(&options.url, options.scenario, connections, &summary)?;
        file.set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()))
            .context("can't write the figures")?;
    }
    verdict(connections, &summary)?;
    if may_be_gone(&summary) && !load::is_there(&again)? {
        return Err(Failed::Deaf.into());
    }
    Ok(if summary.interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// A file that can be written to, and is left as it was until then.
fn writable(path: &Path) -> Result<File, Unusable> {
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).open(path);
    file.map_err(|error| Unusable::path("--json", path, error))
}

fn load(options: &RunOptions, generators: usize) -> anyhow::Result<Load> {
    let script = match options.scenario {
        Some(scenario) => scenario.script(resolve(&options.url)?),
        None => Script::of(exchange(options)?),
    };
    Ok(Load {
        script,
        shape: options.shape(),
        connections: options.connections(),
        ramp: options.ramp,
        connect_time_out: options.connect_timeout,
        time_out: options.timeout,
        warm_up: options.warm_up,
        window: options.duration(),
        origin: Origin { sources: options.sources.clone(), receive_buffer: None },
        generators,
        goose: options.goose.clone(),
    })
}

/// Errors on the way are for the table to tell; a server that is not there at the end is a failure.
fn verdict(connections: usize, summary: &Summary) -> Result<(), Failed> {
    if !summary.broken_thresholds.is_empty() {
        Err(Failed::Thresholds(summary.broken_thresholds.join("; ")))
    } else if summary.lost == connections {
        Err(Failed::Gone(connections))
    } else if summary.requests_in_vain > 0 && summary.requests_after_window == 0 {
        Err(Failed::Silent(summary.requests_in_vain))
    } else if summary.requests == 0 && !summary.interrupted {
        Err(Failed::Unanswered)
    } else {
        Ok(())
    }
}

/// In an open loop so few may have asked since the server was gone that no user has lost it.
fn may_be_gone(summary: &Summary) -> bool {
    let in_doubt = !summary.errors.is_empty() && summary.requests_after_window == 0;
    summary.shape.is_open() && in_doubt && !summary.interrupted
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
