//! `results.json`: everything that was measured, cell by cell and round by round.
//!
//! ```text
//! {
//!   "schema": 2,            this layout; a reader refuses any other
//!   "environment": { … },   machine, limits, versions, commands, start-up lines
//!   "experiment": { … },    what was asked for, every option resolved; `--seed` repeats the order
//!   "complete": true,       false if it was interrupted: `--resume` goes on with it
//!   "cells": [ … ],         one record a cell and round, in the order measured
//!   "verdict": { … }        what follows from the cells by arithmetic alone
//! }
//! ```
//!
//! The cells are the measurement. Everything in `verdict` is made from them again whenever a report
//! is, so that no figure in it can differ from those below. A cell that failed has `failure`, the
//! reason, and none of the measured keys.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use url::Url;

use super::verdict::Verdict;
use crate::lab::{Cell, Environment, Experiment, KernelMemory, Outcome};
use crate::load::{self, Errors, Scenario, Summary, TimeKind};
use crate::report::terminal;
use crate::stats::Percentiles;

/// The version of the layout.
pub(crate) const SCHEMA: u32 = 2;
/// The shape in which each connection asks again as soon as it is answered.
pub(crate) const CLOSED: &str = "closed";

/// A comparison.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) schema: u32,
    pub(crate) environment: Environment,
    pub(crate) experiment: Experiment,
    pub(crate) complete: bool,
    pub(crate) cells: Vec<Record>,
    pub(crate) verdict: Verdict,
}

/// What a cell is measured for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// To be compared with the others.
    #[default]
    Compared,
    /// One of the backends once more, under a second name: the null test.
    Twin,
    /// The canned answer: what the generator can do at most.
    Calibration,
}

/// One cell in one round.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The row's name: a backend, a peer, a target.
    pub(crate) backend: String,
    pub(crate) role: Role,
    pub(crate) scenario: String,
    pub(crate) connections: usize,
    /// How the load comes: `closed`, `open 5000/s`, …
    pub(crate) shape: String,
    /// From 1.
    pub(crate) round: usize,
    #[serde(flatten)]
    pub(crate) measured: Option<Measured>,
    /// What held the cell back, by name; null if nothing was seen to.
    pub(crate) limit: Option<String>,
    /// Why the cell could not be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// What was measured. Keys that end in a unit are in that unit; a null is a figure that this cell
/// can't give.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Right answers in the window, and how many a second. Those that came after it are not among
    /// them, though the times below may be theirs.
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    /// The server's user and system time in the window by `requests`.
    pub(crate) server_cpu_us_per_request: Option<f64>,
    /// CPU seconds of server and generator in each second of the window; 1 is one core.
    pub(crate) server_utilisation: Option<f64>,
    pub(crate) generator_utilisation: f64,
    /// The same of the upstream, which shares the generator's core; null without one.
    pub(crate) upstream_utilisation: Option<f64>,
    /// User memory: the proportional set size of the server's processes, or, of a server that
    /// runs elsewhere, its resident set size (`memory_is`).
    pub(crate) memory_is: MemoryKind,
    pub(crate) fresh_memory_kib: Option<u64>,
    /// With all connections answered once and held.
    pub(crate) held_memory_kib: Option<u64>,
    /// (held - fresh) / connections; null in a shape in which nobody holds one.
    pub(crate) memory_kib_per_connection: Option<f64>,
    /// Memory that the kernel itself took. Its slab is that of the whole machine: the generator's
    /// ends of the connections are in it, which are the same for all.
    pub(crate) fresh_kernel_kib: Option<KernelMemory>,
    pub(crate) held_kernel_kib: Option<KernelMemory>,
    pub(crate) kernel_kib_per_connection: Option<f64>,
    /// When the load had drained, of all processes of the server.
    pub(crate) threads: Option<u64>,
    pub(crate) open_files: Option<u64>,
    /// Context switches of all threads, warm-up and drain included, by the answers of all that.
    pub(crate) voluntary_switches_per_request: Option<f64>,
    pub(crate) forced_switches_per_request: Option<f64>,
    /// Closed loop: from the moment a request is written. Null in an open loop.
    pub(crate) service_time_us: Option<Percentiles>,
    /// Open loop: from the moment a request was due. Null in a closed loop.
    pub(crate) response_time_us: Option<Percentiles>,
    /// Of the scenario's bystanders, who ask for something else beside the others: service times, or
    /// in an open loop response times.
    #[serde(default)]
    pub(crate) bystanders_are: Option<TimeKind>,
    pub(crate) bystanders_us: Option<Percentiles>,
    /// How much later than due requests were written; open loop only.
    pub(crate) lateness_us: Option<Percentiles>,
    /// All service or response times in nanoseconds: a `HdrHistogram` V2, compressed, in base64.
    pub(crate) histogram: Option<String>,
    /// The window second by second; one of over 300 seconds in as few whole seconds each as make no
    /// more than 300 steps.
    pub(crate) timeline: Vec<Second>,
    /// By kind, over the whole cell, ramp and warm-up included; kinds that did not happen are
    /// left out. `refused`, `reset`, `timed_out`, `status_503`, `status_other`, `short_body`,
    /// `wrong_body`, `malformed`; of the generator: `descriptors`, `ports`, `other`.
    pub(crate) errors: Errors,
    /// Connections that the server ended while nothing was asked on them, over the whole cell.
    #[serde(default)]
    pub(crate) reconnects: u64,
    /// Connections that had been answered when the users started, and that the kernel called
    /// established then.
    pub(crate) connected: usize,
    pub(crate) established: usize,
    /// How long they took to connect.
    pub(crate) ramp_seconds: f64,
    /// Whether the generator was the limit: over 90% of its core was busy, or requests left late.
    pub(crate) client_bound: bool,
}

/// Which measure of a server's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MemoryKind {
    /// Proportional set size: what would be free if the process ended.
    #[default]
    Pss,
    /// Resident set size, shared pages and all.
    Rss,
}

/// One second of a window, the first being the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Second {
    pub(crate) answers: u64,
    pub(crate) errors: u64,
    /// Of the service or response times of these answers.
    pub(crate) p99_us: f64,
}

impl Second {
    fn of(second: &load::Second) -> Self {
        let &load::Second { answers, errors, p99_us, .. } = second;
        Self { answers, errors, p99_us }
    }
}

impl Results {
    /// What has been measured so far, with what follows from it.
    pub(crate) fn new(
        environment: Environment,
        experiment: Experiment,
        complete: bool,
        cells: Vec<Record>,
    ) -> Self {
        let verdict = Verdict::of(&cells);
        Self { schema: SCHEMA, environment, experiment, complete, cells, verdict }
    }
}

impl Record {
    /// A cell that was measured.
    pub(crate) fn measured(
        cell: &Cell,
        shape: &str,
        round: usize,
        outcome: &Outcome,
        limit: Option<String>,
    ) -> Self {
        let mut measured = Measured::of(outcome);
        if cell.contender.role == Role::Calibration {
            // It is this very program, and its share of what both map falls when the generator comes.
            measured.memory_kib_per_connection = None;
        }
        Self { measured: Some(measured), limit, ..Self::of(cell, shape, round) }
    }

    /// A cell that could not be.
    pub(crate) fn failed(
        cell: &Cell,
        shape: &str,
        round: usize,
        failure: &str,
        limit: Option<String>,
    ) -> Self {
        Self { failure: Some(failure.to_owned()), limit, ..Self::of(cell, shape, round) }
    }

    /// Whether the server did not come to hold as many connections as it was asked to.
    pub(crate) fn was_stopped(&self) -> bool {
        let all = |measured: &Measured| measured.connected >= self.connections;
        !self.measured.as_ref().is_some_and(all)
    }

    /// What went wrong in it, if anything did: all of it, or some requests or connections.
    pub(crate) fn trouble(&self) -> Option<String> {
        let of = |measured: &Measured| terminal::trouble(&measured.errors, measured.reconnects);
        self.failure.clone().or_else(|| of(self.measured.as_ref()?))
    }

    fn of(cell: &Cell, shape: &str, round: usize) -> Self {
        Self {
            backend: cell.contender.name.clone(),
            role: cell.contender.role,
            scenario: cell.scenario.name().to_owned(),
            connections: cell.connections,
            shape: shape.to_owned(),
            round,
            measured: None,
            limit: None,
            failure: None,
        }
    }
}

impl Measured {
    fn of(outcome: &Outcome) -> Self {
        let Outcome { summary, cost } = outcome;
        let by = |value: f64, count: f64| (count > 0.0).then(|| value / count);
        let grown = |fresh: u64, held: u64| held as f64 - fresh as f64;
        // In a shape that connects anew for each request nobody holds what memory is divided by.
        let is_held = summary.shape.holds_connections();
        let held = if is_held { summary.connected as f64 } else { 0.0 };
        let since_start =
            |count: Option<u64>| by(count? as f64, summary.requests_since_start as f64);
        let cpu_us = cost.utilisation.map(|part| part * summary.window_seconds * 1e6);
        let user = cost.fresh_memory_kib.zip(cost.held_memory_kib);
        let user = user.map(|(fresh, held)| grown(fresh, held));
        let kernel = cost.fresh_kernel_kib.zip(cost.held_kernel_kib);
        let kernel = kernel.map(|(fresh, held)| grown(fresh.sum_kib(), held.sum_kib()));
        Self {
            requests: summary.requests,
            requests_per_second: summary.requests_per_second(),
            server_cpu_us_per_request: cpu_us.and_then(|cpu| by(cpu, summary.requests as f64)),
            server_utilisation: cost.utilisation,
            generator_utilisation: summary.generator_utilisation,
            upstream_utilisation: cost.upstream_utilisation,
            memory_is: cost.memory_is,
            fresh_memory_kib: cost.fresh_memory_kib,
            held_memory_kib: cost.held_memory_kib,
            memory_kib_per_connection: user.and_then(|user| by(user, held)),
            fresh_kernel_kib: cost.fresh_kernel_kib,
            held_kernel_kib: cost.held_kernel_kib,
            kernel_kib_per_connection: kernel.and_then(|kernel| by(kernel, held)),
            threads: cost.threads,
            open_files: cost.open_files,
            voluntary_switches_per_request: since_start(cost.voluntary_switches),
            forced_switches_per_request: since_start(cost.forced_switches),
            service_time_us: summary.service_time_us,
            response_time_us: summary.response_time_us,
            bystanders_are: summary.bystanders_are,
            bystanders_us: summary.bystanders_us,
            lateness_us: summary.lateness_us,
            histogram: Some(summary.histogram.clone()),
            timeline: summary.timeline.iter().map(Second::of).collect(),
            errors: summary.errors.clone(),
            reconnects: summary.reconnects,
            connected: summary.connected,
            established: summary.established,
            ramp_seconds: summary.ramp_seconds,
            client_bound: outcome.client_bound(),
        }
    }

    /// Service times of a closed loop, response times of an open one: never both.
    pub(crate) fn times_us(&self) -> Option<Percentiles> {
        self.service_time_us.or(self.response_time_us)
    }

    /// Voluntary and forced together.
    pub(crate) fn switches_per_request(&self) -> Option<f64> {
        Some(self.voluntary_switches_per_request? + self.forced_switches_per_request?)
    }
}

/// The figures of `loadtest run`, with the names of a cell's where they are the same.
pub(crate) fn summary(
    url: &Url,
    scenario: Option<Scenario>,
    connections: usize,
    summary: &Summary,
) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(summary).context("can't write the figures")?;
    if let Some(object) = value.as_object_mut() {
        object.insert("schema".to_owned(), SCHEMA.into());
        object.insert("url".to_owned(), url.as_str().into());
        object.insert("scenario".to_owned(), scenario.map(Scenario::name).into());
        object.insert("connections".to_owned(), connections.into());
        object.insert("requests_per_second".to_owned(), summary.requests_per_second().into());
        object.insert("client_bound".to_owned(), summary.client_bound().into());
    }
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

/// Results in which every backend used so much CPU a request, in every round, in µs.
#[cfg(test)]
pub(crate) fn example(rounds: usize, backends: &[(&str, f64)]) -> Results {
    let record = |round, backend: &str, cpu: f64| Record {
        backend: backend.to_owned(),
        role: Role::Compared,
        scenario: "echo".to_owned(),
        connections: 64,
        shape: CLOSED.to_owned(),
        round,
        measured: Some(Measured {
            requests: 100_000,
            requests_per_second: 100_000.0,
            server_cpu_us_per_request: Some(cpu),
            memory_kib_per_connection: Some(2.0),
            connected: 64,
            established: 64,
            ..Measured::default()
        }),
        limit: None,
        failure: None,
    };
    let cells = (1..=rounds)
        .flat_map(|round| backends.iter().map(move |(name, cpu)| record(round, name, *cpu)))
        .collect();
    let experiment = Experiment { rounds, seed: 7, ..Experiment::default() };
    Results::new(Environment::default(), experiment, true, cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Shape;

    #[test]
    fn connections_that_nobody_holds_take_no_memory() {
        let of = |shape| {
            let summary = Summary { shape, connected: 64, ..Summary::default() };
            let mut outcome = Outcome { summary, ..Outcome::default() };
            outcome.cost.fresh_memory_kib = Some(1_000);
            outcome.cost.held_memory_kib = Some(1_128);
            Measured::of(&outcome).memory_kib_per_connection
        };
        assert_eq!(of(Shape::Closed), Some(2.0));
        assert_eq!(of(Shape::Churn), None);
    }
}
