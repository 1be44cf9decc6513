//! The histograms of the cells: read back from `results.json`, and written as logs that
//! `HdrHistogram`'s own tools read.
//!
//! A log has an interval for each round of a cell, one after another as if nothing lay between
//! them. The format is that of version 1.3: comments, then a line an interval with its start and
//! its length in seconds, its greatest value in milliseconds, and the histogram itself, of
//! nanoseconds, as it stands in `results.json`.

use std::collections::BTreeSet;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use super::json::{Measured, Results};
use super::percentile::is_told;
use super::rows::{Row, rows};
use crate::stats::Spread;

/// The logs have greatest values in milliseconds.
const TO_MILLISECONDS: f64 = 1e3;

/// A histogram that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the histogram of {0} can't be read")]
pub(super) struct Damaged(String);

/// Looks whether all histograms can be read.
pub(super) fn check(results: &Results) -> Result<(), Damaged> {
    for record in &results.cells {
        let Some(text) = record.measured.as_ref().and_then(text) else { continue };
        if decode(text).is_none() {
            let (backend, scenario) = (&record.backend, &record.scenario);
            let (connections, round) = (record.connections, record.round);
            Err(Damaged(format!("{backend}, {scenario}, {connections}, round {round}")))?;
        }
    }
    Ok(())
}

/// The quantiles of one row, in microseconds: of each the median over the rounds. Only those
/// beyond which every round has enough requests.
pub(super) fn quantiles(row: &Row<'_>, wanted: &[f64]) -> Vec<(f64, f64)> {
    let histograms: Vec<Histogram<u64>> =
        row.measured().filter_map(|measured| decode(text(measured)?)).collect();
    let least = histograms.iter().map(Histogram::len).min().unwrap_or(0);
    let known = wanted.iter().copied().filter(|quantile| is_told(*quantile, least));
    let known: Vec<f64> = known.collect();
    let rounds: Vec<Vec<f64>> = histograms.iter().map(|of| values(of, &known)).collect();
    let median = |place: usize| {
        let of_rounds = rounds.iter().filter_map(|values| values.get(place).copied());
        Some(Spread::of(of_rounds)?.median)
    };
    let found = known.iter().enumerate();
    found.filter_map(|(place, quantile)| Some((*quantile, median(place)?))).collect()
}

/// How many times a round's histogram has; none where there is no histogram.
pub(super) fn requests(measured: &Measured) -> u64 {
    text(measured).and_then(decode).map_or(0, |histogram| histogram.len())
}

/// The values at these quantiles, which rise, in microseconds: all in one passage.
fn values(histogram: &Histogram<u64>, quantiles: &[f64]) -> Vec<f64> {
    let all = histogram.len() as f64;
    let mut values = Vec::with_capacity(quantiles.len());
    let mut counted = 0;
    for step in histogram.iter_recorded() {
        counted += step.count_since_last_iteration();
        while quantiles.get(values.len()).is_some_and(|quantile| counted as f64 >= quantile * all) {
            values.push(step.value_iterated_to() as f64 / 1e3);
        }
    }
    values
}

/// The logs, each with its file's name.
pub(super) fn logs(results: &Results) -> Vec<(String, String)> {
    let mut taken = BTreeSet::new();
    let rows = rows(&results.cells);
    rows.iter().filter_map(|row| Some((file_name(row, &mut taken), log(row, results)?))).collect()
}

fn log(row: &Row<'_>, results: &Results) -> Option<String> {
    let (backend, scenario, shape) = (row.backend, row.scenario, row.shape);
    let mut log = String::from("#[Histogram log format version 1.3]\n");
    let began = humantime::parse_rfc3339(&results.environment.time).ok();
    let began = began.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let cell = format!("{backend}, {scenario}, {} connections, {shape}", row.connections);
    let window = results.experiment.window_seconds;
    // A String can always be written to.
    let _ = writeln!(log, "#[{}]", one_line(&cell));
    let _ = writeln!(log, "#[One interval a round, of service or response times in nanoseconds]");
    if let Some(began) = began {
        let (seconds, time) = (began.as_secs_f64(), &results.environment.time);
        let _ = writeln!(log, "#[StartTime: {seconds:.3} (seconds since epoch), {time}]");
    }
    log.push_str("\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",");
    log.push_str("\"Interval_Compressed_Histogram\"\n");
    let mut intervals = 0;
    for (round, measured) in row.rounds() {
        let Some(text) = text(measured) else { continue };
        let most = measured.times_us().map_or(0.0, |times| times.max) / TO_MILLISECONDS;
        let start = window * (round - 1) as f64;
        let _ = writeln!(log, "{start:.3},{window:.3},{most:.3},{text}");
        intervals += 1;
    }
    (intervals > 0).then_some(log)
}

/// A name that is one on every file system, and that no other row has.
fn file_name(row: &Row<'_>, taken: &mut BTreeSet<String>) -> String {
    let words = [row.backend, row.scenario, &row.connections.to_string(), row.shape].join("-");
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let name: String = words.chars().take(100).map(plain).collect();
    let mut names = (1..).map(|n| if n == 1 { name.clone() } else { format!("{name}-{n}") });
    let free = names.find(|name| taken.insert(name.clone()));
    format!("{}.hlog", free.unwrap_or(name))
}

fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// What stands in the record; nothing was recorded where it is empty.
fn text(measured: &Measured) -> Option<&str> {
    measured.histogram.as_deref().filter(|text| !text.is_empty())
}

fn decode(text: &str) -> Option<Histogram<u64>> {
    let bytes = BASE64.decode(text).ok()?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::report::json::example;
    use crate::stats::Latency;

    /// Results whose rounds had these numbers of requests, of 1 µs, 2 µs, 3 µs and so on.
    fn with_requests(rounds: &[u64]) -> Results {
        let mut results = example(rounds.len(), &[("tokio/http1", 8.0)]);
        results.environment.time = "2026-05-01T10:00:00Z".to_owned();
        results.experiment.window_seconds = 3.0;
        for (record, requests) in results.cells.iter_mut().zip(rounds) {
            let mut latency = Latency::new();
            (1..=*requests).for_each(|request| latency.record(Duration::from_micros(request)));
            let measured = record.measured.as_mut().expect("measured");
            measured.histogram = Some(latency.encode());
            measured.service_time_us = Some(latency.percentiles());
        }
        results
    }

    #[test]
    fn a_log_is_read_by_the_tools_of_its_format() {
        let logs = logs(&with_requests(&[100, 200]));
        let [(name, log)] = &logs[..] else { panic!("one row: {logs:?}") };
        assert_eq!(name, "tokio-http1-echo-64-closed.hlog");
        assert!(log.starts_with("#[Histogram log format version 1.3]\n"), "{log}");

        let entries: Result<Vec<_>, _> = IntervalLogIterator::new(log.as_bytes()).collect();
        let entries = entries.expect("every line is understood");
        let [LogEntry::StartTime(began), LogEntry::Interval(one), LogEntry::Interval(two)] =
            &entries[..]
        else {
            panic!("{entries:?}")
        };
        assert_eq!(began.as_secs(), 1_777_629_600);
        assert_eq!(one.start_timestamp(), Duration::ZERO);
        assert_eq!(two.start_timestamp(), Duration::from_secs(3));
        assert_eq!(two.duration(), Duration::from_secs(3));
        assert!((two.max() - 0.2).abs() < 0.001, "milliseconds: {two:?}");
        let histogram = decode(two.encoded_histogram()).expect("a histogram");
        assert_eq!(histogram.len(), 200);
    }

    #[test]
    fn names_of_logs_are_plain_and_never_the_same() {
        let results = example(1, &[("../x y", 6.0), ("../x/y", 6.0)]);
        let rows = rows(&results.cells);
        let mut taken = BTreeSet::new();
        let names: Vec<String> = rows.iter().map(|row| file_name(row, &mut taken)).collect();
        assert_eq!(names, ["---x-y-echo-64-closed.hlog", "---x-y-echo-64-closed-2.hlog"]);
    }

    #[test]
    fn a_quantile_is_the_median_of_the_rounds_and_not_told_of_few() {
        let results = with_requests(&[1_000, 1_000, 3_000]);
        let rows = rows(&results.cells);
        let found = quantiles(&rows[0], &[0.5, 0.99, 0.995, 0.999]);
        let quantiles: Vec<f64> = found.iter().map(|(quantile, _)| *quantile).collect();
        assert_eq!(quantiles, [0.5, 0.99], "ten of a thousand lie beyond 0.99");
        assert!((found[0].1 - 500.0).abs() < 1.0, "{found:?}");

        let text = results.cells[2].measured.as_ref().and_then(text).expect("a histogram");
        let histogram = decode(text).expect("a histogram");
        let same = [0.25, 0.5, 0.9, 0.999].map(|at| (at, histogram.value_at_quantile(at)));
        for (value, (at, wanted)) in values(&histogram, &same.map(|of| of.0)).iter().zip(same) {
            assert!((value / (wanted as f64 / 1e3) - 1.0).abs() < 0.001, "{at}: {value}");
        }
    }

    #[test]
    fn a_damaged_histogram_is_named() {
        let mut results = with_requests(&[10]);
        assert!(check(&results).is_ok());
        results.cells[0].measured.as_mut().expect("measured").histogram = Some("HIST".to_owned());
        let damaged = check(&results).expect_err("no histogram");
        assert!(damaged.to_string().contains("tokio/http1, echo, 64, round 1"), "{damaged}");
    }
}
