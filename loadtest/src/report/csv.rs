//! `results.csv`: one line a cell and round, for spreadsheets and scripts.
//!
//! METHODOLOGY.md says what each column is. An empty field is a figure that the cell can't give.
//! Fields are quoted as RFC 4180 asks. Histograms and timelines are in `results.json` alone.

use super::json::{Measured, MemoryKind, Record, Results, Role};
use super::terminal;
use crate::stats::Percentiles;

/// A column: its name, and what stands in it.
type Column = (&'static str, fn(&Record, &Measured) -> Option<String>);

/// What a record says whether or not it was measured.
const NAMES: [&str; 8] =
    ["backend", "role", "scenario", "connections", "shape", "round", "limit", "failure"];

/// What was measured.
const FIGURES: [Column; 37] = [
    ("requests", |_, measured| Some(measured.requests.to_string())),
    ("requests_per_second", |_, measured| number(Some(measured.requests_per_second))),
    ("client_bound", |_, measured| Some(measured.client_bound.to_string())),
    ("server_cpu_us_per_request", |_, measured| number(measured.server_cpu_us_per_request)),
    ("server_utilisation", |_, measured| number(measured.server_utilisation)),
    ("generator_utilisation", |_, measured| number(Some(measured.generator_utilisation))),
    ("upstream_utilisation", |_, measured| number(measured.upstream_utilisation)),
    ("memory_is", |_, measured| Some(memory(measured.memory_is).to_owned())),
    ("fresh_memory_kib", |_, measured| whole(measured.fresh_memory_kib)),
    ("held_memory_kib", |_, measured| whole(measured.held_memory_kib)),
    ("memory_kib_per_connection", |_, measured| number(measured.memory_kib_per_connection)),
    ("kernel_kib_per_connection", |_, measured| number(measured.kernel_kib_per_connection)),
    ("threads", |_, measured| whole(measured.threads)),
    ("open_files", |_, measured| whole(measured.open_files)),
    ("voluntary_switches_per_request", |_, measured| {
        number(measured.voluntary_switches_per_request)
    }),
    ("forced_switches_per_request", |_, measured| number(measured.forced_switches_per_request)),
    ("times_are", |_, measured| times_are(measured)),
    ("p50_us", |_, measured| time(measured.times_us(), |times| times.p50)),
    ("p90_us", |_, measured| time(measured.times_us(), |times| times.p90)),
    ("p99_us", |_, measured| time(measured.times_us(), |times| times.p99)),
    ("p999_us", |_, measured| time(measured.times_us(), |times| times.p999)),
    ("max_us", |_, measured| time(measured.times_us(), |times| times.max)),
    ("bystanders_are", |_, measured| measured.bystanders_are.map(|are| are.name().to_owned())),
    ("bystanders_p50_us", |_, measured| time(measured.bystanders_us, |times| times.p50)),
    ("bystanders_p99_us", |_, measured| time(measured.bystanders_us, |times| times.p99)),
    ("bystanders_max_us", |_, measured| time(measured.bystanders_us, |times| times.max)),
    ("lateness_p50_us", |_, measured| time(measured.lateness_us, |times| times.p50)),
    ("lateness_p99_us", |_, measured| time(measured.lateness_us, |times| times.p99)),
    ("lateness_max_us", |_, measured| time(measured.lateness_us, |times| times.max)),
    ("errors", |_, measured| Some(measured.errors.values().sum::<u64>().to_string())),
    ("errors_by_kind", |_, measured| {
        (!measured.errors.is_empty()).then(|| terminal::errors(&measured.errors))
    }),
    ("reconnects", |_, measured| Some(measured.reconnects.to_string())),
    ("connected", |_, measured| Some(measured.connected.to_string())),
    ("established", |_, measured| Some(measured.established.to_string())),
    ("missing", |record, measured| {
        Some(record.connections.saturating_sub(measured.connected).to_string())
    }),
    ("ramp_seconds", |_, measured| number(Some(measured.ramp_seconds))),
    ("switches_per_request", |_, measured| number(measured.switches_per_request())),
];

/// The whole file.
pub(super) fn lines(results: &Results) -> String {
    let names = NAMES.iter().copied().chain(FIGURES.iter().map(|(name, _)| *name));
    let mut text = line(names.map(str::to_owned));
    for record in &results.cells {
        let figures = FIGURES.iter().map(|(_, of)| {
            let measured = record.measured.as_ref();
            measured.and_then(|measured| of(record, measured)).unwrap_or_default()
        });
        text.push_str(&line(named(record).into_iter().chain(figures)));
    }
    text
}

fn named(record: &Record) -> [String; NAMES.len()] {
    let role = match record.role {
        Role::Compared => "compared",
        Role::Twin => "twin",
        Role::Calibration => "calibration",
    };
    [
        record.backend.clone(),
        role.to_owned(),
        record.scenario.clone(),
        record.connections.to_string(),
        record.shape.clone(),
        record.round.to_string(),
        record.limit.clone().unwrap_or_default(),
        record.failure.clone().unwrap_or_default(),
    ]
}

fn line(fields: impl Iterator<Item = String>) -> String {
    fields.map(|field| quoted(&field)).collect::<Vec<_>>().join(",") + "\r\n"
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn number(value: Option<f64>) -> Option<String> {
    Some(format!("{:.4}", value.filter(|value| value.is_finite())?))
}

fn whole(value: Option<u64>) -> Option<String> {
    Some(value?.to_string())
}

fn time(times: Option<Percentiles>, of: fn(&Percentiles) -> f64) -> Option<String> {
    Some(format!("{:.1}", of(&times?)))
}

fn times_are(measured: &Measured) -> Option<String> {
    let service = measured.service_time_us.map(|_| "service");
    service.or(measured.response_time_us.map(|_| "response")).map(str::to_owned)
}

fn memory(kind: MemoryKind) -> &'static str {
    match kind {
        MemoryKind::Pss => "pss",
        MemoryKind::Rss => "rss",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::report::json::example;

    #[test]
    fn a_line_for_each_cell_and_round_with_as_many_fields() {
        let lines = lines(&example(2, &[("mio", 6.0), ("may", 7.0)]));
        let lines: Vec<&str> = lines.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 1 + 4);
        let fields = |line: &str| line.split(',').count();
        assert!(lines.iter().all(|line| fields(line) == NAMES.len() + FIGURES.len()), "{lines:?}");
        assert!(lines[1].starts_with("mio,compared,echo,64,closed,1,"), "{}", lines[1]);
        assert!(lines[1].contains(",6.0000,"), "{}", lines[1]);
    }

    #[test]
    fn what_stands_in_a_field_never_ends_it() {
        let mut results = example(1, &[("a,\"b\"\n", 6.0)]);
        results.cells[0].measured = None;
        results.cells[0].failure = Some("no luck, today".to_owned());
        let lines = lines(&results);
        assert!(lines.contains("\r\n\"a,\"\"b\"\"\n\",compared,"), "{lines}");
        assert!(lines.contains(",\"no luck, today\",,,"), "{lines}");
    }

    #[test]
    fn every_column_is_documented() {
        let methodology = Path::new(env!("CARGO_MANIFEST_DIR")).join("../METHODOLOGY.md");
        let methodology = fs::read_to_string(methodology).expect("METHODOLOGY.md");
        for name in NAMES.iter().chain(FIGURES.iter().map(|(name, _)| name)) {
            assert!(methodology.contains(&format!("`{name}`")), "{name} is not documented");
        }
    }
}
