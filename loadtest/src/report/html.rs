//! `report.html`: one file that needs nothing else, neither a script nor the network.

use askama::Template;

use super::figures::{Figure, Section as Figures, Table, step_seconds};
use super::findings::{self, Finding};
use super::json::Results;
use super::looks::{self, Look, Looks};
use super::numbers::counted;
use super::places::{self, Title};
use super::rows::{Row, rows};
use super::table::{self, ENOUGH_ROUNDS};
use crate::lab::Environment;
use crate::load::Scenario;

/// The page.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'r> {
    environment: &'r Environment,
    seed: u64,
    light: String,
    dark: String,
    style: String,
    conduct: String,
    left_out: &'static str,
    limit: &'static str,
    findings: Vec<Finding>,
    places: Option<Table>,
    matrix: Option<Table>,
    legend: Vec<(Look, &'r str)>,
    sections: Vec<Section>,
}

/// One scenario under one shape.
struct Section {
    anchor: String,
    name: String,
    meaning: &'static str,
    tail: String,
    wide: Vec<Figure>,
    latencies: Vec<Figure>,
    are_response_times: bool,
    bystanders: Vec<Figure>,
    bystanders_wait_from_due: bool,
    step: String,
    timelines: Vec<Figure>,
    all: Vec<Table>,
}

/// No page is larger than this.
const MOST_BYTES: usize = 1_000_000;

/// How much of it there is, if not everything: the first that is not too large is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// Percentiles at the fewest and at the most connections only.
    Ends,
    /// Nor the tables of all figures.
    Charts,
    /// Nor any percentiles.
    Outlines,
}

impl Detail {
    /// What is left out, and where it is instead.
    fn left_out(self) -> &'static str {
        match self {
            Self::Ends => {
                "For want of room percentiles are drawn for the fewest and the most connections \
                 only; results.csv has them all."
            }
            Self::Charts => {
                "For want of room percentiles are drawn for the fewest and the most connections \
                 only, and the tables of all figures are left out; results.csv has them."
            }
            Self::Outlines => {
                "For want of room percentiles, the windows second by second and the tables of all \
                 figures are left out; results.csv and results.json have them."
            }
        }
    }
}

impl Section {
    fn cut(&mut self, detail: Detail) {
        for figures in [&mut self.latencies, &mut self.bystanders] {
            if figures.len() > 2 {
                figures.drain(1..figures.len() - 1);
            }
        }
        if detail >= Detail::Charts {
            self.all.clear();
        }
        if detail >= Detail::Outlines {
            self.latencies.clear();
            self.bystanders.clear();
            self.timelines.clear();
        }
    }
}

/// The page for these results.
pub(super) fn page(results: &Results) -> anyhow::Result<String> {
    let rows = rows(&results.cells);
    let mut page = whole(results, &rows);
    let mut text = page.render()?;
    for detail in [Detail::Ends, Detail::Charts, Detail::Outlines] {
        if text.len() <= MOST_BYTES {
            break;
        }
        page.left_out = detail.left_out();
        page.sections.iter_mut().for_each(|section| section.cut(detail));
        text = page.render()?;
    }
    Ok(text)
}

/// The page with everything.
fn whole<'r>(results: &'r Results, rows: &[Row<'r>]) -> Page<'r> {
    let looks = Looks::of(results);
    let drawn = findings::compared(rows);
    let mut legend: Vec<(Look, &str)> =
        drawn.iter().map(|row| (looks.look(row.backend), row.backend)).collect();
    legend.sort_unstable();
    legend.dedup();
    let kinds = drawn.chunk_by(|a, b| a.kind() == b.kind()).count();
    let sections = places::sections(results, &drawn);
    Page {
        environment: &results.environment,
        seed: results.experiment.seed,
        light: looks::variables(false),
        dark: looks::variables(true),
        style: looks::style_sheet(),
        conduct: conduct(results),
        left_out: "",
        limit: table::LIMIT,
        findings: findings::findings(results),
        places: places::places(results, &drawn).filter(|_| kinds > 1),
        matrix: (kinds > 1).then(|| places::matrix(results, &drawn)),
        legend,
        sections: sections
            .iter()
            .enumerate()
            .map(|(place, (title, drawn))| {
                let figures = Figures { rows: drawn, looks: &looks, results };
                section(&format!("s{place}"), *title, &figures, rows)
            })
            .collect(),
    }
}

fn conduct(results: &Results) -> String {
    let times = table::times(results);
    let ranking = if table::rounds(results) < ENOUGH_ROUNDS {
        format!("A ranking needs {ENOUGH_ROUNDS} rounds, so ranges are shown and nothing is ranked")
    } else {
        "Figures are medians of the rounds. Two backends are compared round by round: × is the \
         median of their ratios, with an interval of at least 95%, and where that holds 1 they are \
         tied. The best is whoever had the best median of the same rounds, and each interval stands \
         for itself: of seven rows that are all alike, some seem to be just apart from the best in about \
         one kind of cell in four"
            .to_owned()
    };
    let rounds = table::rounds_in_words(results);
    format!(
        "Measured: {rounds} of {times}, each with a fresh server and a fresh generator. {ranking}."
    )
}

/// The step in which a window is seen.
fn step(results: &Results) -> String {
    match step_seconds(results.experiment.window_seconds) {
        seconds if seconds > 1.0 => format!("step of {seconds:.0} s"),
        _ => "second".to_owned(),
    }
}

fn section(anchor: &str, title: Title<'_>, figures: &Figures<'_, '_>, rows: &[Row<'_>]) -> Section {
    let of = |row: &&Row<'_>| Title::of(figures.results, row) == title;
    let rows: Vec<&Row<'_>> = rows.iter().filter(of).collect();
    let all = rows.chunk_by(|a, b| a.kind() == b.kind()).filter_map(|kind| {
        let at = kind.first()?;
        let at = format!("{}, {}", counted(at.connections, "connection"), at.shape);
        Some(table::of_kind(at, kind, figures.results))
    });
    Section {
        anchor: anchor.to_owned(),
        name: title.to_string(),
        meaning: title.scenario.parse::<Scenario>().map_or("", Scenario::meaning),
        tail: findings::tail(&figures.results.verdict, figures.rows).join(" "),
        wide: [figures.cpu(), figures.throughput(), figures.memory()]
            .into_iter()
            .flatten()
            .collect(),
        latencies: figures.latencies(),
        are_response_times: findings::are_response_times(figures.rows),
        bystanders: figures.bystanders(),
        bystanders_wait_from_due: figures.rows.iter().any(|row| row.is_open()),
        step: step(figures.results),
        timelines: figures.timelines(),
        all: all.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;

    #[test]
    fn what_an_interval_does_not_cover_is_said() {
        let said = conduct(&example(6, &[("mio", 6.0)]));
        assert!(said.contains("each interval stands for itself"), "{said}");
    }

    #[test]
    fn the_rounds_are_those_that_were_measured() {
        let mut results = example(3, &[("mio", 6.0)]);
        (results.experiment.rounds, results.complete) = (9, false);
        let said = conduct(&results);
        assert!(said.starts_with("Measured: up to 3 of 9 rounds of "), "{said}");
        assert!(said.contains("nothing is ranked"), "{said}");
    }
}
