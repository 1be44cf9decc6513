//! Results that were never measured, though they look like it: for tests of what is made of them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde_json::{Value, json};

/// A row: its name, its role, µs of CPU a request, KiB a connection, how long its tail is.
pub(crate) type Row<'r> = (&'r str, &'r str, f64, f64, f64);

/// The six rows of every comparison, a twin for the null test, and the generator's ceiling.
pub(crate) const ROWS: [Row<'_>; 8] = [
    ("threads", "compared", 12.8, 13.8, 2.5),
    ("mio", "compared", 7.9, 0.4, 1.0),
    ("may", "compared", 9.1, 8.8, 1.3),
    ("actix", "compared", 7.7, 1.6, 1.1),
    ("tokio", "compared", 8.8, 10.8, 1.2),
    ("tokio/http1", "compared", 7.6, 2.2, 1.1),
    ("mio (twin)", "twin", 7.9, 0.4, 1.0),
    ("floor", "calibration", 2.4, 0.1, 0.8),
];

/// What was compared.
pub(crate) struct Made<'m> {
    pub(crate) rows: &'m [Row<'m>],
    pub(crate) scenarios: &'m [&'m str],
    pub(crate) shapes: &'m [&'m str],
    pub(crate) connections: &'m [u32],
    pub(crate) rounds: u32,
    /// The length of the window.
    pub(crate) seconds: u32,
    /// From how many made-up times each histogram is; the more, the smoother.
    pub(crate) samples: u32,
    /// Whether every round has the times of the first, which is quicker to make.
    pub(crate) alike: bool,
    pub(crate) seed: u64,
}

impl Made<'_> {
    /// The whole of a `results.json`, but for the verdict, which every reader makes anew.
    pub(crate) fn results(&self) -> Value {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let (mut cells, mut memory) = (Vec::new(), BTreeMap::new());
        for round in 1..=self.rounds {
            for (scenario, factor) in self.scenarios.iter().zip(FACTORS.iter().cycle()) {
                for shape in self.shapes {
                    for connections in self.connections {
                        let rows = self
                            .rows
                            .iter()
                            .filter(|row| *scenario == "echo" || row.1 == "compared");
                        cells.extend(rows.map(|row| {
                            let place = (*scenario, *factor, *shape, *connections, round);
                            self.cell(row, place, &mut random, &mut memory)
                        }));
                    }
                }
            }
        }
        let servers: serde_json::Map<String, Value> = self
            .rows
            .iter()
            .map(|row| (row.0.to_owned(), json!(format!("listening backend={} workers=1", row.0))))
            .collect();
        json!({
            "schema": 2,
            "environment": {
                "time": "2026-05-01T10:00:00Z",
                "processor": "Made-up Processor at 3 GHz",
                "cores": 2, "generator_cores": [0], "server_cores": [1],
                "memory_mib": 16_000, "kernel": "6.18.0",
                "limits": { "RLIMIT_NOFILE": "1048576", "vm.max_map_count": "65530" },
                "version": "0.1.0", "commit": "0123abc",
                "command": "loadtest compare --thorough",
                "repeat": "loadtest compare --thorough --seed 7",
                "servers": servers,
            },
            "experiment": {
                "name": "made", "about": "Nothing that was measured", "peers": [], "targets": [],
                "connect_timeout_seconds": 10.0, "null": "mio", "calibrate": true,
                "ladder": false,
                "backends": self.rows.iter().filter(|row| row.1 == "compared").map(|row| row.0).collect::<Vec<_>>(),
                "scenarios": self.scenarios, "connections": self.connections, "shapes": self.shapes,
                "rounds": self.rounds, "seed": 7,
                "warm_up_seconds": 0.5, "window_seconds": f64::from(self.seconds),
            },
            "complete": true,
            "cells": cells,
            "verdict": { "null_test": null, "calibration": [], "comparisons": [], "slopes": [], "reach": [] },
        })
    }

    fn cell(
        &self,
        row: &Row<'_>,
        (scenario, factor, shape, connections, round): (&str, f64, &str, u32, u32),
        random: &mut fastrand::Rng,
        memory: &mut BTreeMap<String, Times>,
    ) -> Value {
        let (name, role, base, kib, tail) = *row;
        let mut noise = |part: f64| 1.0 + part * (random.f64() + random.f64() + random.f64() - 1.5);
        let count = f64::from(connections);
        // Asleep more often with one connection, and out of the caches with many.
        let busy = 1.0 + 2.6 / count + 0.12 * (count / 64.0).max(1.0).ln() * tail;
        let cpu = base * factor * busy * noise(0.05);
        let most = 1e6 / cpu / (1.0 + 2.0 / count);
        let ceiling = 170_000.0 / (1.0 + 2.0 / count) / (1.0 + 0.08 * count.ln());
        let is_open = shape.starts_with("open");
        let rate = if is_open { 5_000.0 } else { most.min(ceiling) * noise(0.02) };
        let is_bound = !is_open && most > ceiling * 0.9 && role == "compared";
        let middle = if is_open { 60.0 * factor } else { 1e6 * count / rate };
        let requests = rate * f64::from(self.seconds);
        let bystanders = scenario == "block";
        // The one who blocks rests between its requests, and the times are its own.
        let is_response = is_open && !bystanders;
        let own = if bystanders { 10.0 * f64::from(self.seconds) } else { requests };
        let key = format!("{name} {scenario} {shape} {connections}");
        let known = memory.get(&key).filter(|_| self.alike).cloned();
        let Times { percentiles: times, p99, histogram } =
            known.unwrap_or_else(|| self.times(middle, tail, own, &mut noise));
        if self.alike {
            let made = Times { percentiles: times.clone(), p99, histogram: histogram.clone() };
            memory.insert(key, made);
        }
        let timeline: Vec<Value> = (0..self.seconds)
            .map(|second| {
                let stall = if second == 1 && round == 2 && name == "threads" { 6.0 } else { 1.0 };
                json!({
                    "answers": whole(rate * noise(0.1) / stall), "errors": 0,
                    "p99_us": p99 * noise(0.2) * stall,
                })
            })
            .collect();
        let fresh = 2_900.0 * noise(0.02);
        let held = fresh + 60.0 + kib * count;
        json!({
            "backend": name, "role": role, "scenario": scenario, "connections": connections,
            "shape": shape, "round": round,
            "limit": if is_bound { Some("CPU of the generator") } else { None },
            "requests": whole(requests),
            "requests_per_second": rate,
            "server_cpu_us_per_request": cpu,
            "server_utilisation": cpu * rate / 1e6,
            "generator_utilisation": if is_bound { 0.97 } else { 0.6 },
            "upstream_utilisation": null,
            "memory_is": "pss",
            "fresh_memory_kib": whole(fresh), "held_memory_kib": whole(held),
            "memory_kib_per_connection": (held - fresh) / count,
            "fresh_kernel_kib": { "slab": 50_000, "stacks": 3_000, "page_tables": 2_000 },
            "held_kernel_kib": {
                "slab": 50_000 + whole(5.0 * count), "stacks": 3_000, "page_tables": 2_000,
            },
            "kernel_kib_per_connection": 5.0,
            "threads": if name == "threads" { connections + 3 } else { 4 },
            "open_files": null,
            "voluntary_switches_per_request": if name == "threads" { 1.9 } else { 0.2 },
            "forced_switches_per_request": 0.01,
            "service_time_us": if is_response { Value::Null } else { times.clone() },
            "response_time_us": if is_response { times.clone() } else { Value::Null },
            "bystanders_us": if bystanders { times.clone() } else { Value::Null },
            "lateness_us": if is_open {
                json!({ "p50": 2.0, "p90": 3.0, "p99": 5.0, "p999": 9.0, "max": 40.0 })
            } else { Value::Null },
            "histogram": histogram,
            "timeline": timeline,
            "errors": {},
            "connected": connections, "established": connections,
            "ramp_seconds": 0.0002 * count,
            "client_bound": is_bound,
        })
    }

    /// Times around this one in the middle: so many that a few stand for all, and each of those
    /// counts as many times as it takes.
    fn times(
        &self,
        middle: f64,
        tail: f64,
        requests: f64,
        noise: &mut dyn FnMut(f64) -> f64,
    ) -> Times {
        let mut histogram = Histogram::<u64>::new(3).expect("three digits");
        histogram.auto(true);
        let weight = (requests / f64::from(self.samples)).max(1.0);
        for _ in 0..self.samples {
            let seldom: f64 = -noise(0.9).abs().max(1e-6).ln();
            let us = middle * (0.6 + 0.4 * noise(0.5) + 0.2 * tail * seldom.max(0.0).powi(2));
            histogram.record_n(whole((us * 1e3).max(1.0)), whole(weight)).expect("it grows");
        }
        let us = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
        let percentiles = json!({
            "p50": us(0.5), "p90": us(0.9), "p99": us(0.99), "p999": us(0.999),
            "max": histogram.max() as f64 / 1e3,
        });
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&histogram, &mut bytes).expect("bytes");
        Times { percentiles, p99: us(0.99), histogram: BASE64.encode(bytes) }
    }
}

/// The times of a cell.
#[derive(Clone)]
struct Times {
    percentiles: Value,
    p99: f64,
    histogram: String,
}

/// How much more than `echo` each scenario costs.
const FACTORS: [f64; 10] = [1.0, 1.9, 1.4, 1.3, 26.0, 2.2, 3.0, 3.4, 3.6, 2.4];

/// Figures are made as fractions and counted whole.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value as u64
}
