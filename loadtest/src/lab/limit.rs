//! Which limit held a cell back, by name.
//!
//! Nothing here is guessed: a limit is named if the server's start-up line names it, if the server
//! or the generator said that it ran out, or if a clock shows it. Where none did, what was missing
//! is said instead.

use std::fs;

use super::startup::{Log, Startup};
use super::{Cell, Outcome};

/// The part of its cores from which on a server is held back by them.
const BUSY: f64 = 0.95;
/// The part of the machine's memory below which there is none left.
const NO_MEMORY: f64 = 0.03;
/// The servers give an upstream this part of their descriptors at most.
const PART_FOR_UPSTREAM: usize = 4;

/// What is known of a cell that was measured.
pub(crate) struct Evidence<'e> {
    pub(crate) cell: &'e Cell,
    /// The server's, if it has one.
    pub(crate) startup: Option<&'e Startup>,
    pub(crate) log: &'e Log,
    pub(crate) outcome: &'e Outcome,
    /// How many cores the server has; none if it runs elsewhere.
    pub(crate) cores: usize,
    /// The most descriptors of a process here.
    pub(crate) open_files: u64,
}

impl Evidence<'_> {
    /// The limit's name, if anything was seen to hold the cell back.
    pub(crate) fn limit(&self) -> Option<String> {
        self.of_generator()
            .or_else(|| self.of_server())
            .or_else(|| self.of_machine())
            .or_else(|| self.connections_missing())
            .or_else(|| self.of_cores())
    }

    /// What the generator ran out of.
    fn of_generator(&self) -> Option<String> {
        let names = [
            ("descriptors", format!("generator: RLIMIT_NOFILE {}", self.open_files)),
            ("ports", "generator: net.ipv4.ip_local_port_range".to_owned()),
        ];
        let (_, name) = names.into_iter().find(|(kind, _)| self.has(kind))?;
        Some(name)
    }

    /// What the server said that it has too little of.
    fn of_server(&self) -> Option<String> {
        let wanted = self.cell.connections;
        let bound = self.startup.and_then(|startup| Some((startup, startup.max_connections?)));
        if let Some((startup, most)) = bound.filter(|&(_, most)| most < wanted) {
            let by = startup.bounded_by.as_deref().unwrap_or("--max-connections");
            return Some(format!("server: {most} connections by {by}"));
        }
        if let Some(reason) = self.log.run_out().first() {
            return Some(format!("server: {}", ran_out(reason)));
        }
        let pool = usize::try_from(self.open_files).unwrap_or(usize::MAX) / PART_FOR_UPSTREAM;
        if self.cell.scenario.upstream().is_some() && wanted > pool && self.has("status_503") {
            let files = self.open_files;
            return Some(format!(
                "server: {pool} connections to the upstream, a quarter of RLIMIT_NOFILE {files}"
            ));
        }
        None
    }

    fn of_machine(&self) -> Option<String> {
        let left = self.outcome.cost.memory_left.filter(|left| *left < NO_MEMORY)?;
        Some(format!("memory: {:.0}% of it left", 100.0 * left))
    }

    fn connections_missing(&self) -> Option<String> {
        let (summary, wanted) = (&self.outcome.summary, self.cell.connections);
        summary.lacks_connections(wanted).then_some(())?;
        let (connected, established) = (summary.connected, summary.established);
        let missing =
            format!("{connected} of {wanted} connections answered, {established} established");
        let cores = self.of_cores();
        Some(cores.map_or(missing.clone(), |cores| format!("{cores}: {missing}")))
    }

    fn of_cores(&self) -> Option<String> {
        let (summary, cost) = (&self.outcome.summary, &self.outcome.cost);
        if self.outcome.client_bound() {
            let who = match cost.upstream_utilisation {
                Some(_) => "generator and upstream",
                None => "generator",
            };
            let late = summary.is_late();
            return Some(format!("{who}: {}", if late { "requests left late" } else { "CPU" }));
        }
        let is_busy = self.cores > 0 && cost.utilisation? > BUSY * self.cores as f64;
        is_busy.then(|| "server: CPU".to_owned())
    }

    fn has(&self, kind: &str) -> bool {
        self.outcome.summary.errors.contains_key(kind)
    }
}

/// A server's word for what ran out, in the system's.
fn ran_out(reason: &str) -> String {
    match reason {
        "EMFILE" => "RLIMIT_NOFILE (EMFILE)".to_owned(),
        "ENFILE" => "fs.file-max (ENFILE)".to_owned(),
        "ENOBUFS" | "ENOMEM" => format!("memory ({reason})"),
        "no_thread" => "no thread to be had (kernel.threads-max, pid_max or pids.max)".to_owned(),
        "no_stack" => "no stack to be had (vm.max_map_count or memory)".to_owned(),
        other => other.to_owned(),
    }
}

/// How often the kernel has ended a process for want of memory.
pub(crate) fn ended_for_memory() -> u64 {
    let text = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let count = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
    text.lines().find_map(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::contender::{Backend, Contender};
    use crate::lab::plan::Manner;
    use crate::load::{Scenario, Shape, Summary};

    fn cell(scenario: Scenario, connections: usize) -> Cell {
        let contender = Arc::new(Contender::of(Backend::Mio));
        Cell { contender, scenario, connections, manner: Manner::Fixed(Shape::Closed) }
    }

    /// All of them connected, and nothing in the way.
    fn outcome(connections: usize) -> Outcome {
        let summary = Summary {
            connected: connections,
            established: connections,
            window_seconds: 1.0,
            ..Summary::default()
        };
        Outcome { summary, ..Outcome::default() }
    }

    fn limit(
        cell: &Cell,
        startup: Option<&Startup>,
        log: &Log,
        outcome: &Outcome,
    ) -> Option<String> {
        Evidence { cell, startup, log, outcome, cores: 1, open_files: 20_000 }.limit()
    }

    fn plain(outcome: &Outcome) -> Option<String> {
        limit(&cell(Scenario::Echo, 64), None, &Log::default(), outcome)
    }

    fn with_error(kind: &str) -> Outcome {
        let mut outcome = outcome(64);
        outcome.summary.errors.insert(kind.to_owned(), 3);
        outcome
    }

    #[test]
    fn a_cell_that_nothing_held_back_has_no_limit() {
        assert_eq!(plain(&outcome(64)), None);
        assert_eq!(plain(&with_error("reset")), None, "an error alone is no limit");
    }

    #[test]
    fn the_generator_names_its_own() {
        let named = |kind| plain(&with_error(kind)).expect("a limit");
        assert_eq!(named("descriptors"), "generator: RLIMIT_NOFILE 20000");
        assert_eq!(named("ports"), "generator: net.ipv4.ip_local_port_range");
        let mut busy = outcome(64);
        busy.summary.generator_utilisation = 0.95;
        assert_eq!(plain(&busy).as_deref(), Some("generator: CPU"));
    }

    #[test]
    fn a_server_is_taken_at_the_word_of_its_start_up_line() {
        let line = "INFO listening address=127.0.0.1:1 max_connections=14744 \
                    bounded_by=\"vm.max_map_count 65530\"";
        let startup = Startup::read(line).expect("a start-up line");
        let of = |connections| {
            let (cell, outcome) = (cell(Scenario::Echo, connections), outcome(14_744));
            limit(&cell, Some(&startup), &Log::default(), &outcome)
        };
        let stopped = "server: 14744 connections by vm.max_map_count 65530";
        assert_eq!(of(20_000).as_deref(), Some(stopped));
        assert_eq!(of(14_744), None);
    }

    #[test]
    fn a_server_is_taken_at_the_word_of_its_warnings() {
        for (reason, wanted) in [
            ("EMFILE", "server: RLIMIT_NOFILE (EMFILE)"),
            ("ENOMEM", "server: memory (ENOMEM)"),
            ("no_thread", "server: no thread to be had (kernel.threads-max, pid_max or pids.max)"),
            ("no_stack", "server: no stack to be had (vm.max_map_count or memory)"),
        ] {
            let mut log = Log::default();
            log.push(format!("WARN backing off reason=\"{reason}\" wait=1ms"));
            let cell = cell(Scenario::Echo, 64);
            assert_eq!(limit(&cell, None, &log, &outcome(60)).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn a_pool_to_the_upstream_is_a_limit_where_it_is_smaller_than_the_crowd() {
        let of = |connections| {
            let mut outcome = outcome(connections);
            outcome.summary.errors.insert("status_503".to_owned(), 9);
            limit(&cell(Scenario::Proxy, connections), None, &Log::default(), &outcome)
        };
        let pool = "server: 5000 connections to the upstream, a quarter of RLIMIT_NOFILE 20000";
        assert_eq!(of(10_000).as_deref(), Some(pool));
        assert_eq!(of(1_000), None);
    }

    #[test]
    fn memory_and_cores_show_by_themselves() {
        let mut full = outcome(64);
        full.cost.memory_left = Some(0.02);
        assert_eq!(plain(&full).as_deref(), Some("memory: 2% of it left"));
        let mut busy = outcome(64);
        busy.cost.utilisation = Some(0.97);
        assert_eq!(plain(&busy).as_deref(), Some("server: CPU"));
        busy.summary.connected = 60;
        let missing = "server: CPU: 60 of 64 connections answered, 64 established";
        assert_eq!(plain(&busy).as_deref(), Some(missing));
    }
}
