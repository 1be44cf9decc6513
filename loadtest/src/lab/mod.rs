//! The comparison: cell by cell, each with a fresh server and a fresh generator.
//!
//! A *cell* is one backend, one scenario and one number of connections. The plan says in which
//! order the cells of all rounds are measured; a cell that fails is recorded with the server's
//! last words, and the others go on.

mod cell;
mod cores;
mod environment;
mod folder;
mod plan;
mod sample;
mod server;
mod stage;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};

pub(crate) use cell::{CellOptions, Outcome, run_cell};
pub(crate) use environment::Environment;
pub(crate) use plan::{Backend, Cell};

use self::cores::Cores;
use self::server::Server;
use self::stage::Stage;
use crate::limits;
use crate::options::CompareOptions;
use crate::report::{self, json};

/// The part of its cores from which on a server is held back by them.
const BUSY: f64 = 0.95;
/// The exit code of a program that was interrupted, by convention.
const INTERRUPTED: u8 = 130;
/// What a cell takes beside warm-up and window, by experience: its two processes start and end …
const AROUND_A_CELL: Duration = Duration::from_millis(400);
/// … and each connection is made, answered once, and closed.
const AROUND_A_CONNECTION: Duration = Duration::from_micros(200);

/// Measures every cell, prints the table, and leaves `results.json` and `report.html`.
pub(crate) fn compare(options: &CompareOptions, open_files: u64) -> anyhow::Result<ExitCode> {
    for &connections in &options.connections {
        limits::check(connections, open_files)?;
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let out = folder::prepare(options)?;
    let cores = Cores::share_out().context("can't keep to a core")?;
    let plan = plan::order(
        &options.backends,
        &options.scenarios,
        &options.connections,
        options.rounds,
        seed,
    );
    eprintln!("{}", announcement(options, &plan, seed, &cores));
    let results = measure_all(options, &plan, seed, &cores, &interrupted)?;
    report::write(&results, &out)?;
    print!("{}", report::terminal::table(&results));
    println!("\n{}", out.join(report::JSON_FILE).display());
    println!("{}", out.join(report::HTML_FILE).display());
    Ok(if interrupted.load(Ordering::Relaxed) {
        ExitCode::from(INTERRUPTED)
    } else if results.cells.iter().any(|cell| cell.failure.is_some()) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What is about to be done, and how long it is going to take.
fn announcement(
    options: &CompareOptions,
    plan: &[(usize, Cell)],
    seed: u64,
    cores: &Cores,
) -> String {
    let around = |cell: &Cell| AROUND_A_CELL + AROUND_A_CONNECTION.mul_f64(cell.connections as f64);
    let cells = plan.iter().map(|(_, cell)| options.warm_up + options.duration + around(cell));
    let about = Duration::from_secs(cells.sum::<Duration>().as_secs().max(1));
    format!(
        "{} cell(s) of {} after {} of warm-up, {} round(s), seed {seed}: about {}; \
         generator on core {:?}, servers on {:?}",
        plan.len(),
        humantime::format_duration(options.duration),
        humantime::format_duration(options.warm_up),
        options.rounds,
        humantime::format_duration(about),
        cores.generator,
        cores.server,
    )
}

fn measure_all(
    options: &CompareOptions,
    plan: &[(usize, Cell)],
    seed: u64,
    cores: &Cores,
    interrupted: &AtomicBool,
) -> anyhow::Result<json::Results> {
    let programs = std::env::current_exe()?;
    let programs = programs.parent().unwrap_or(Path::new("."));
    let mut environment = Environment::look(cores, seed);
    let progress = progress_bar(plan.len());
    let mut cells = Vec::with_capacity(plan.len());
    for &(round, cell) in plan {
        let Cell { backend, scenario, connections } = cell;
        let (name, of) = (backend.name(), options.rounds);
        let asks = scenario.name();
        progress.set_message(format!("round {round}/{of}: {name}, {asks}, {connections}"));
        let record = match Stage::set(cell, programs, cores) {
            Err(error) => json::Record::failed(cell, round, &format!("{error:#}")),
            Ok(mut stage) => {
                environment.servers.insert(name.to_owned(), stage.server().startup().line.clone());
                measure_one(options, round, cell, &mut stage, cores, interrupted)
            }
        };
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        if let Some(trouble) = record.trouble() {
            progress.suspend(|| eprintln!("{name}, {asks}, {connections} connections: {trouble}"));
        }
        cells.push(record);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(json::Results::new(options, environment, seed, cells))
}

fn measure_one(
    options: &CompareOptions,
    round: usize,
    cell: Cell,
    stage: &mut Stage,
    cores: &Cores,
    interrupted: &AtomicBool,
) -> json::Record {
    let outcome = cell::measure(cell, stage, options.warm_up, options.duration, interrupted);
    match (stage.obituary(), outcome) {
        (Some(obituary), _) => json::Record::failed(cell, round, &obituary),
        (None, Err(error)) => json::Record::failed(cell, round, &format!("{error:#}")),
        (None, Ok(outcome)) => {
            let limit = limit(cell, stage.server(), &outcome, cores);
            json::Record::measured(cell, round, &outcome, limit)
        }
    }
}

/// What held the cell back, by name, if anything did.
fn limit(cell: Cell, server: &Server, outcome: &Outcome, cores: &Cores) -> Option<String> {
    let summary = &outcome.summary;
    let startup = server.startup();
    if summary.errors.contains_key("descriptors") {
        return Some("generator: RLIMIT_NOFILE".to_owned());
    }
    if summary.errors.contains_key("ports") {
        return Some("generator: net.ipv4.ip_local_port_range".to_owned());
    }
    if let Some(most) = startup.max_connections.filter(|&most| most < cell.connections) {
        let by = startup.bounded_by.as_deref().unwrap_or("--max-connections");
        return Some(format!("server: {most} connections by {by}"));
    }
    if summary.connected < cell.connections || summary.established != summary.connected {
        let (wanted, connected) = (cell.connections, summary.connected);
        let established = summary.established;
        return Some(format!(
            "{connected} of {wanted} connections answered, {established} established"
        ));
    }
    if outcome.client_bound() {
        let upstream = outcome.cost.upstream_cpu_seconds.is_some();
        let who = if upstream { "generator and upstream" } else { "generator" };
        return Some(format!("{who}: CPU"));
    }
    let available = cores.server.len() as f64 * summary.window_seconds;
    (outcome.cost.cpu_seconds > BUSY * available).then(|| "server: CPU".to_owned())
}

fn progress_bar(cells: usize) -> ProgressBar {
    let progress = ProgressBar::new(cells as u64);
    let template = "{spinner} {bar:30} {pos}/{len} cells, {eta} left   {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(250));
    progress
}
