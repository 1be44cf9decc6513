//! `report.html`: one file that needs nothing else, neither a script nor the network.

use askama::Template;

use super::charts::{self, Bar, Line, Point};
use super::findings::{self, ENOUGH_CONNECTIONS};
use super::json::{Measured, Results};
use super::rows::{Row, place, rows};
use super::terminal::{self, ENOUGH_ROUNDS};
use crate::lab::{Backend, Environment};
use crate::load::Scenario;

/// The page.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'r> {
    environment: &'r Environment,
    seed: u64,
    conduct: String,
    limit: &'static str,
    findings: Vec<String>,
    legend: Vec<(usize, &'r str)>,
    sections: Vec<Section<'r>>,
    servers: Vec<(&'r str, &'r str)>,
}

/// One scenario.
struct Section<'r> {
    name: &'r str,
    meaning: &'static str,
    cpu: Vec<Panel>,
    memory: Vec<Panel>,
    throughput: String,
    rows: Vec<[String; 11]>,
}

/// A chart with its heading.
struct Panel {
    heading: String,
    chart: String,
}

/// The page for these results.
pub(super) fn page(results: &Results) -> anyhow::Result<String> {
    let rows = rows(results);
    let mut legend: Vec<(usize, &str)> =
        rows.iter().map(|row| (place(row.backend), row.backend)).collect();
    legend.sort_unstable();
    legend.dedup();
    let servers = &results.environment.servers;
    let page = Page {
        environment: &results.environment,
        seed: results.seed,
        conduct: conduct(results),
        limit: terminal::LIMIT,
        findings: findings::findings(results),
        legend,
        sections: rows.chunk_by(|a, b| a.scenario == b.scenario).map(section).collect(),
        servers: Backend::ALL
            .into_iter()
            .filter_map(|backend| Some((backend.name(), servers.get(backend.name())?.as_str())))
            .collect(),
    };
    Ok(page.render()?)
}

fn conduct(results: &Results) -> String {
    let rounds = results.rounds;
    let times = terminal::times(results);
    let ranking = if rounds < ENOUGH_ROUNDS {
        format!("A ranking needs {ENOUGH_ROUNDS} rounds, so ranges are shown and nothing is ranked")
    } else {
        "Figures are medians of the rounds; two backends are compared round by round".to_owned()
    };
    let plural = if rounds == 1 { "round" } else { "rounds" };
    format!(
        "Closed loop: each connection asks again as soon as it is answered. {rounds} {plural} of \
         {times}, each with a fresh server and a fresh generator. {ranking}."
    )
}

fn section<'r>(rows: &[Row<'r>]) -> Section<'r> {
    let name = rows.first().map_or("", |row| row.scenario);
    let panels = |unit: &str, value: fn(&Measured) -> Option<f64>, enough: usize| {
        rows.chunk_by(|a, b| a.connections == b.connections)
            .filter(|rows| rows.iter().all(|row| row.connections >= enough))
            .filter_map(|rows| panel(rows, unit, value))
            .collect()
    };
    Section {
        name,
        meaning: name.parse::<Scenario>().map_or("", Scenario::meaning),
        cpu: panels("µs", |measured| measured.server_cpu_us_per_request, 1),
        memory: panels("KiB", |measured| measured.pss_kib_per_connection, ENOUGH_CONNECTIONS),
        throughput: throughput(rows),
        rows: rows.iter().map(cells).collect(),
    }
}

/// The bars of all backends at one number of connections; none if nothing was measured.
fn panel(rows: &[Row<'_>], unit: &str, value: fn(&Measured) -> Option<f64>) -> Option<Panel> {
    let count = charts::thousands(rows.first()?.connections as f64);
    let heading =
        if count == "1" { "1 connection".to_owned() } else { format!("{count} connections") };
    let bars: Vec<Bar<'_>> = rows
        .iter()
        .filter_map(|row| {
            let spread = row.spread(value)?;
            Some(Bar { name: row.backend, place: place(row.backend), spread })
        })
        .collect();
    let chart = charts::bars(&heading, unit, &bars);
    (!bars.is_empty()).then_some(Panel { heading, chart })
}

fn throughput(rows: &[Row<'_>]) -> String {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for row in rows {
        let Some(spread) = row.spread(|measured| Some(measured.requests_per_second)) else {
            continue;
        };
        let (x, y, is_bound) = (row.connections as f64, spread.median, row.client_bound());
        let point = Point { x, y, is_bound };
        if let Some(line) = lines.iter_mut().find(|line| line.name == row.backend) {
            line.points.push(point);
        } else {
            let (name, place) = (row.backend, place(row.backend));
            lines.push(Line { name, place, points: vec![point] });
        }
    }
    lines.sort_by_key(|line| line.place);
    charts::lines("Requests a second over connections", &lines)
}

fn cells(row: &Row<'_>) -> [String; 11] {
    let [_, connections, backend, figures @ ..] = terminal::cells(row);
    let [cpu, rate, p50, p99, memory, threads, switches, errors, limit] = figures;
    [connections, backend, cpu, rate, p50, p99, memory, threads, switches, errors, limit]
}
