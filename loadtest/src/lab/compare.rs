//! The comparison: cell by cell, each with a fresh server and a fresh generator.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::journal::{Entry, Journal};
use super::limit::{self, Evidence};
use super::options::Place;
use super::plan::{Cell, Manner, Planned};
use super::progress::{self, Progress};
use super::{Cores, Environment, Experiment, Plan, Stage, cell, folder, target};
use crate::limits;
use crate::load::Shape;
use crate::options::Unusable;
use crate::report;
use crate::report::json::{Record, Results, Role};

/// The exit code of a program that was interrupted, by convention.
const INTERRUPTED: u8 = 130;

/// A comparison under way.
struct Session {
    plan: Plan,
    folder: PathBuf,
    journal: Journal,
    environment: Environment,
    records: Vec<Record>,
    cores: Cores,
    /// The most descriptors of a process here.
    open_files: u64,
    interrupted: Arc<AtomicBool>,
}

/// Measures every cell, prints the table, and leaves `results.json` and `report.html`. Where an
/// earlier comparison is to be gone on with, `experiment` is not asked.
pub(super) fn compare(
    place: &Place,
    experiment: impl FnOnce() -> anyhow::Result<Experiment>,
    open_files: u64,
) -> anyhow::Result<ExitCode> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let mut session = match &place.resume {
        Some(folder) => Session::go_on(folder, open_files, interrupted)?,
        None => Session::begin(place, experiment()?, open_files, interrupted)?,
    };
    session.measure_all()?;
    session.conclude()
}

impl Session {
    fn begin(
        place: &Place,
        experiment: Experiment,
        open_files: u64,
        interrupted: Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let plan = Plan::new(experiment)?;
        if !plan.experiment.ladder {
            // On a ladder that is where it ends; here it is known before hours are spent.
            for &connections in &plan.experiment.connections {
                limits::check(connections, open_files)?;
            }
        }
        target::await_all(plan.targets())?;
        let folder = folder::prepare(place)?;
        let cores = cores(&plan)?;
        let environment = Environment::look(&cores, plan.experiment.seed);
        let journal = Journal::begin(&folder, &environment, &plan.experiment)?;
        let records = Vec::new();
        Ok(Self { plan, folder, journal, environment, records, cores, open_files, interrupted })
    }

    fn go_on(folder: &Path, open_files: u64, interrupted: Arc<AtomicBool>) -> anyhow::Result<Self> {
        let (journal, header, entries) = Journal::reopen(folder)?;
        let (plan, mut environment) = (Plan::new(header.experiment)?, header.environment);
        target::await_all(plan.targets())?;
        let cores = cores(&plan)?;
        let here = Environment::look(&cores, plan.experiment.seed);
        if let Some(difference) = environment.difference(&here) {
            let reason = format!("figures from both could not be compared: {difference}");
            Err(Unusable::path("--resume", folder, reason))?;
        }
        let mut records = Vec::with_capacity(entries.len());
        for Entry { said, cell } in entries {
            environment.servers.extend(said.map(|said| (cell.backend.clone(), said)));
            records.push(cell);
        }
        let folder = folder.to_owned();
        Ok(Self { plan, folder, journal, environment, records, cores, open_files, interrupted })
    }

    fn measure_all(&mut self) -> anyhow::Result<()> {
        let order = self.plan.order();
        let times = self.plan.experiment.times();
        let asked = times.warm_up + times.window;
        let expected = |planned: &Planned| progress::expected(&planned.cell, asked);
        let left: Vec<Planned> =
            order.into_iter().filter(|planned| !self.has_measured(planned)).collect();
        let all = left.iter().map(expected).sum();
        eprintln!("{}", self.announcement(left.len(), all));
        let mut progress = Progress::new(left.len(), all);
        for planned in left {
            progress.begin(self.what(&planned));
            let measured = !self.was_stopped_below(&planned);
            if measured {
                let Some(entry) = self.measure(&planned)? else { break };
                if let Some(trouble) = entry.cell.trouble() {
                    progress.say(&format!("{}: {trouble}", name(&planned.cell)));
                }
                self.journal.append(&entry)?;
                self.records.push(entry.cell);
            }
            progress.end(expected(&planned), measured);
        }
        progress.finish();
        Ok(())
    }

    /// Measures one cell; nothing comes of it if it is interrupted.
    fn measure(&mut self, planned: &Planned) -> anyhow::Result<Option<Entry>> {
        let Planned { round, ref cell } = *planned;
        let mut said = None;
        let record = match cell.manner.shape(self.slowest(cell)) {
            None => {
                let manner = cell.manner.to_string();
                let failure = "nobody made anything in a closed loop: there is no rate for all";
                Record::failed(cell, &manner, round, failure, None)
            }
            Some(shape) => match limits::check(cell.connections, self.open_files) {
                Err(too_many) => {
                    let limit = format!("generator: RLIMIT_NOFILE {}", self.open_files);
                    let shape = shape.to_string();
                    Record::failed(cell, &shape, round, &too_many.to_string(), Some(limit))
                }
                Ok(()) => self.play(round, cell, shape, &mut said)?,
            },
        };
        if self.interrupted.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Ok(Some(Entry { said, cell: record }))
    }

    fn play(
        &mut self,
        round: usize,
        cell: &Cell,
        shape: Shape,
        said: &mut Option<String>,
    ) -> anyhow::Result<Record> {
        let programs = std::env::current_exe()?;
        let programs = programs.parent().unwrap_or(Path::new("."));
        let failed = |why: &str, limit| Record::failed(cell, &shape.to_string(), round, why, limit);
        let ended_before = limit::ended_for_memory();
        let mut stage = match Stage::set(cell, programs, &self.cores) {
            Ok(stage) => stage,
            Err(error) => return Ok(failed(&format!("{error:#}"), None)),
        };
        let announcement = stage.announcement();
        self.environment.servers.insert(cell.contender.name.clone(), announcement.clone());
        *said = Some(announcement);
        let times = self.plan.experiment.times();
        let outcome = cell::measure(cell, shape, &stage, times, &self.interrupted);
        if let Some((who, obituary)) = stage.obituary() {
            let for_memory = obituary.was_killed() && limit::ended_for_memory() > ended_before;
            let limit = for_memory.then(|| "memory: the kernel ended the server".to_owned());
            return Ok(failed(&format!("{who}{obituary}"), limit));
        }
        Ok(match outcome {
            Err(error) => failed(&format!("{error:#}"), None),
            Ok(mut outcome) => {
                if stage.server().is_none() {
                    let fresh = outcome.cost.fresh_memory_kib;
                    outcome.cost.fresh_memory_kib = least_fresh(&self.records, cell, fresh);
                }
                let evidence = Evidence {
                    cell,
                    startup: stage.server().map(super::Server::startup),
                    log: &stage.log(),
                    outcome: &outcome,
                    cores: stage.server().map_or(0, |_| self.cores.server.len()),
                    open_files: self.open_files,
                };
                Record::measured(cell, &shape.to_string(), round, &outcome, evidence.limit())
            }
        })
    }

    fn has_measured(&self, planned: &Planned) -> bool {
        let Planned { round, cell } = planned;
        let shape = cell.manner.shape(self.slowest(cell)).map(|shape| shape.to_string());
        let shape = shape.unwrap_or_else(|| cell.manner.to_string());
        self.records.iter().any(|record| {
            record.round == *round
                && record.backend == cell.contender.name
                && record.role == cell.contender.role
                && record.scenario == cell.scenario.name()
                && record.connections == cell.connections
                && record.shape == shape
        })
    }

    /// On a ladder: whether fewer connections were already too many, in this round.
    fn was_stopped_below(&self, planned: &Planned) -> bool {
        let Planned { round, cell } = planned;
        self.plan.experiment.ladder
            && self.records.iter().any(|record| {
                record.round == *round
                    && record.backend == cell.contender.name
                    && record.scenario == cell.scenario.name()
                    && record.connections < cell.connections
                    && record.was_stopped()
            })
    }

    /// What the slowest rival makes a second in the first round's closed loop of such a cell: of
    /// those that served all connections, if any did.
    fn slowest(&self, cell: &Cell) -> Option<f64> {
        if matches!(cell.manner, Manner::Fixed(_)) {
            return None;
        }
        let closed = Shape::Closed.to_string();
        let of_kind = |record: &&Record| {
            record.round == 1
                && record.role == Role::Compared
                && record.scenario == cell.scenario.name()
                && record.connections == cell.connections
                && record.shape == closed
        };
        let rates = |whole: bool| {
            let records = self.records.iter().filter(of_kind);
            let records = records.filter(move |record| !(whole && record.was_stopped()));
            let rates = records.filter_map(|record| record.measured.as_ref());
            let rates = rates.map(|measured| measured.requests_per_second);
            rates.filter(|rate| *rate > 0.0).min_by(f64::total_cmp)
        };
        rates(true).or_else(|| rates(false))
    }

    /// What is about to be done, and how long it is going to take.
    fn announcement(&self, cells: usize, expected: Duration) -> String {
        let Experiment { rounds, seed, .. } = self.plan.experiment;
        let (times, time) = (self.plan.experiment.times(), humantime::format_duration);
        let servers = match &self.cores.server[..] {
            [] => "elsewhere".to_owned(),
            cores => format!("on {cores:?}"),
        };
        let mut text = format!(
            "{cells} cell(s) of {} after {} of warm-up, {rounds} round(s), seed {seed}: about {}; \
             generator on core {:?}, servers {servers}",
            time(times.window),
            time(times.warm_up),
            progress::text(expected),
            self.cores.generator,
        );
        if !self.records.is_empty() {
            // A String can always be written to.
            let _ = write!(text, "; {} measured before", self.records.len());
        }
        text
    }

    fn what(&self, planned: &Planned) -> String {
        let (round, rounds) = (planned.round, self.plan.experiment.rounds);
        format!("round {round}/{rounds}: {}, {}", name(&planned.cell), planned.cell.manner)
    }

    /// Leaves the files, says what was found, and with which exit code that ends.
    fn conclude(self) -> anyhow::Result<ExitCode> {
        let interrupted = self.interrupted.load(Ordering::Relaxed);
        let Self { plan, folder, journal, environment, records, .. } = self;
        let results = Results::new(environment, plan.experiment, !interrupted, records);
        report::write(&results, &folder)?;
        if !interrupted {
            journal.end()?;
        }
        show(&results, &folder);
        if interrupted {
            println!("interrupted; go on by: loadtest compare --resume {}", folder.display());
        }
        Ok(match (interrupted, all_measured(&results)) {
            (true, _) => ExitCode::from(INTERRUPTED),
            (false, false) => ExitCode::FAILURE,
            (false, true) => ExitCode::SUCCESS,
        })
    }
}

/// A server that stays is fresh only once; later it holds on to what earlier cells have left in it. So
/// that counts as its fresh memory which was the least before any of its cells until now.
fn least_fresh(records: &[Record], cell: &Cell, now: Option<u64>) -> Option<u64> {
    let of_same = records.iter().filter(|record| cell.contender.is_same(&record.backend));
    let before = of_same.filter_map(|record| record.measured.as_ref()?.fresh_memory_kib);
    before.chain(now).min()
}

/// The generator's and the servers'; of those that run elsewhere nothing is known.
fn cores(plan: &Plan) -> anyhow::Result<Cores> {
    let mut cores = Cores::share_out().context("can't keep to a core")?;
    if plan.is_elsewhere() {
        cores.server.clear();
    }
    Ok(cores)
}

/// What was found, and where it is.
fn show(results: &Results, folder: &Path) {
    print!("{}", report::terminal::whole(results));
    println!("\n{}", folder.join(report::JSON_FILE).display());
    println!("{}", folder.join(report::HTML_FILE).display());
}

/// Whether nothing failed; on a ladder, where everybody fails in the end, whether everybody got
/// on it.
fn all_measured(results: &Results) -> bool {
    let mut failed = results.cells.iter().filter(|cell| cell.failure.is_some());
    failed.all(|cell| {
        let same = |other: &&Record| other.backend == cell.backend;
        let mut of_one = results.cells.iter().filter(same);
        results.experiment.ladder && of_one.any(|other| other.measured.is_some())
    })
}

fn name(cell: &Cell) -> String {
    let (backend, scenario) = (&cell.contender.name, cell.scenario.name());
    format!("{backend}, {scenario}, {} connections", cell.connections)
}

#[cfg(test)]
mod tests {
    use super::super::contender::{Backend, Contender};
    use super::*;
    use crate::load::Scenario;
    use crate::report::json::example;

    #[test]
    fn a_server_that_stays_was_fresh_when_it_held_least() {
        let mut records = example(2, &[("mio", 6.0), ("may", 7.0)]).cells;
        for (record, fresh) in records.iter_mut().zip([3_000, 10, 5_000, 10]) {
            record.measured.as_mut().expect("measured").fresh_memory_kib = Some(fresh);
        }
        let cell = |contender: Contender| Cell {
            contender: Arc::new(contender),
            scenario: Scenario::Echo,
            connections: 64,
            manner: Manner::Fixed(Shape::Closed),
        };
        let mio = Contender::of(Backend::Mio);
        let twin = cell(mio.twin());
        assert_eq!(least_fresh(&records, &cell(mio), Some(4_000)), Some(3_000));
        assert_eq!(least_fresh(&records, &twin, Some(2_000)), Some(2_000), "it is the same server");
        assert_eq!(least_fresh(&records, &twin, None), Some(3_000));
        let tokio = cell(Contender::of(Backend::Tokio));
        assert_eq!(least_fresh(&records, &tokio, Some(4_000)), Some(4_000));
    }
}
