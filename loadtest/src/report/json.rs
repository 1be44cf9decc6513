//! `results.json`: everything that was measured, cell by cell and round by round.
//!
//! ```text
//! {
//!   "schema": 1,                      this layout; a reader refuses any other
//!   "environment": { … },             machine, limits, versions, commands
//!   "seed": 7, "rounds": 6,           the order: `--seed 7` repeats it
//!   "warm_up_seconds": 0.5, "window_seconds": 3.0,
//!   "cells": [ one record a cell and round, in the order measured ]
//! }
//! ```
//!
//! Nothing in it is a summary: medians and ranges are made from the records when a report is. A
//! cell that failed has `failure`, the reason, and none of the measured keys.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::lab::{Cell, Environment, Outcome};
use crate::load::{Errors, Summary};
use crate::options::CompareOptions;
use crate::report::terminal;
use crate::stats::Percentiles;

/// The version of the layout.
pub(crate) const SCHEMA: u32 = 1;

/// A comparison.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) schema: u32,
    pub(crate) environment: Environment,
    pub(crate) seed: u64,
    pub(crate) rounds: usize,
    pub(crate) warm_up_seconds: f64,
    pub(crate) window_seconds: f64,
    pub(crate) cells: Vec<Record>,
}

/// One cell in one round.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) backend: String,
    pub(crate) scenario: String,
    pub(crate) connections: usize,
    /// How requests are timed: `closed`, the next when the last is answered.
    pub(crate) mode: String,
    /// From 1.
    pub(crate) round: usize,
    #[serde(flatten)]
    pub(crate) measured: Option<Measured>,
    /// Why the cell could not be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// What was measured. Keys that end in a unit are in that unit.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Right answers in the window, and how many a second.
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    /// The server's user and system time in the window by `requests`; null without any.
    pub(crate) server_cpu_us_per_request: Option<f64>,
    /// CPU seconds of server and generator in each second of the window; 1 is one core.
    pub(crate) server_utilisation: f64,
    pub(crate) generator_utilisation: f64,
    /// The same of the upstream, which shares the generator's core; null without one.
    #[serde(default)]
    pub(crate) upstream_utilisation: Option<f64>,
    /// (PSS with all connections answered once and held - PSS with none) / connections; null
    /// without a connection.
    pub(crate) pss_kib_per_connection: Option<f64>,
    pub(crate) fresh_pss_kib: u64,
    pub(crate) held_pss_kib: u64,
    /// At the end of the window.
    pub(crate) threads: u64,
    /// Voluntary and forced, of all threads, warm-up included; null without an answer.
    pub(crate) context_switches_per_request: Option<f64>,
    pub(crate) service_time_us: Percentiles,
    /// By kind, over the whole cell, ramp and warm-up included; kinds that did not happen are
    /// left out. `refused`, `reset`, `timed_out`, `status_503`, `status_other`, `short_body`,
    /// `wrong_body`, `malformed`; of the generator: `descriptors`, `ports`, `other`.
    pub(crate) errors: Errors,
    /// Connections that had been answered when the users started, and that the kernel called
    /// established then.
    pub(crate) connected: usize,
    pub(crate) established: usize,
    /// How long they took to connect.
    pub(crate) ramp_seconds: f64,
    /// Whether generator and upstream used more than 90% of their core: the server could do more.
    pub(crate) client_bound: bool,
    /// What held the cell back, by name; null if nothing was seen to.
    pub(crate) limit: Option<String>,
}

impl Results {
    /// The results of a comparison that has just been made.
    pub(crate) fn new(
        options: &CompareOptions,
        environment: Environment,
        seed: u64,
        cells: Vec<Record>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            environment,
            seed,
            rounds: options.rounds,
            warm_up_seconds: options.warm_up.as_secs_f64(),
            window_seconds: options.duration.as_secs_f64(),
            cells,
        }
    }
}

impl Record {
    /// A cell that was measured.
    pub(crate) fn measured(
        cell: Cell,
        round: usize,
        outcome: &Outcome,
        limit: Option<String>,
    ) -> Self {
        let Outcome { summary, cost } = outcome;
        let by = |value: f64, count: f64| (count > 0.0).then(|| value / count);
        let held = cost.held_pss_kib as f64 - cost.fresh_pss_kib as f64;
        let since_start = summary.requests_since_start as f64;
        let measured = Measured {
            requests: summary.requests,
            requests_per_second: summary.requests_per_second(),
            server_cpu_us_per_request: by(cost.cpu_seconds * 1e6, summary.requests as f64),
            server_utilisation: cost.cpu_seconds / summary.window_seconds,
            generator_utilisation: summary.generator_utilisation,
            upstream_utilisation: outcome.upstream_utilisation(),
            pss_kib_per_connection: by(held, summary.connected as f64),
            fresh_pss_kib: cost.fresh_pss_kib,
            held_pss_kib: cost.held_pss_kib,
            threads: cost.threads,
            context_switches_per_request: by(cost.context_switches as f64, since_start),
            service_time_us: summary.service_time_us,
            errors: summary.errors.clone(),
            connected: summary.connected,
            established: summary.established,
            ramp_seconds: summary.ramp_seconds,
            client_bound: outcome.client_bound(),
            limit,
        };
        Self { measured: Some(measured), ..Self::of(cell, round) }
    }

    /// A cell that could not be.
    pub(crate) fn failed(cell: Cell, round: usize, failure: &str) -> Self {
        Self { failure: Some(failure.to_owned()), ..Self::of(cell, round) }
    }

    /// What went wrong in it, if anything did: all of it, or some requests.
    pub(crate) fn trouble(&self) -> Option<String> {
        let errors = self.measured.as_ref().map(|measured| &measured.errors);
        let some = errors.filter(|errors| !errors.is_empty());
        self.failure.clone().or_else(|| Some(format!("errors: {}", terminal::errors(some?))))
    }

    fn of(cell: Cell, round: usize) -> Self {
        Self {
            backend: cell.backend.name().to_owned(),
            scenario: cell.scenario.name().to_owned(),
            connections: cell.connections,
            mode: "closed".to_owned(),
            round,
            measured: None,
            failure: None,
        }
    }
}

/// The figures of `loadtest run`, with the names of a cell's where they are the same.
pub(crate) fn summary(url: &Url, connections: usize, summary: &Summary) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(summary).context("can't write the figures")?;
    if let Some(object) = value.as_object_mut() {
        object.insert("schema".to_owned(), SCHEMA.into());
        object.insert("url".to_owned(), url.as_str().into());
        object.insert("connections".to_owned(), connections.into());
        object.insert("mode".to_owned(), "closed".into());
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
        scenario: "echo".to_owned(),
        connections: 64,
        mode: "closed".to_owned(),
        round,
        measured: Some(Measured {
            requests: 100_000,
            requests_per_second: 100_000.0,
            server_cpu_us_per_request: Some(cpu),
            pss_kib_per_connection: Some(2.0),
            ..Measured::default()
        }),
        failure: None,
    };
    Results {
        schema: SCHEMA,
        environment: Environment::default(),
        seed: 7,
        rounds,
        warm_up_seconds: 0.5,
        window_seconds: 1.0,
        cells: (1..=rounds)
            .flat_map(|round| backends.iter().map(move |(name, cpu)| record(round, name, *cpu)))
            .collect(),
    }
}
