//! Where the backends stand over a whole comparison, in tables.

use std::fmt::{self, Display};

use super::figures::{Entry, Table};
use super::json::Results;
use super::numbers::{short, thousands};
use super::rows::Row;
use super::standing::Standing;
use super::table::{ENOUGH_ROUNDS, rounds};
use super::verdict::Figure;
use crate::stats::Spread;

/// What the rows of a section have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Title<'r> {
    pub(super) scenario: &'r str,
    /// The shape, or what was asked for where each number of connections has a rate of its own.
    pub(super) manner: &'r str,
}

impl<'r> Title<'r> {
    pub(super) fn of(results: &'r Results, row: &Row<'r>) -> Self {
        let asked = || results.experiment.shapes.iter().map(String::as_str);
        let of_rate = |shape: &&str| shape.starts_with("open") && shape.ends_with('%');
        let mut rates = asked().filter(of_rate);
        let is_such = row.shape.starts_with("open ") && !asked().any(|shape| shape == row.shape);
        let manner = match (is_such, rates.next(), rates.next()) {
            (true, Some(rate), None) => rate,
            _ => row.shape,
        };
        Self { scenario: row.scenario, manner }
    }
}

impl Display for Title<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {}", self.scenario, self.manner)
    }
}

/// The rows by scenario and manner of asking, each in the order of the reports.
pub(super) fn sections<'a, 'r>(
    results: &'r Results,
    rows: &[&'a Row<'r>],
) -> Vec<(Title<'r>, Vec<&'a Row<'r>>)> {
    let mut sections: Vec<(Title<'_>, Vec<&Row<'_>>)> = Vec::new();
    for row in rows {
        let title = Title::of(results, row);
        match sections.iter_mut().find(|(of, _)| *of == title) {
            Some((_, section)) => section.push(row),
            None => sections.push((title, vec![row])),
        }
    }
    sections
}

/// The backends, in the order of the reports.
pub(super) fn names<'r>(rows: &[&Row<'r>]) -> Vec<&'r str> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.backend) {
            names.push(row.backend);
        }
    }
    names
}

/// Where a backend stands by one figure, over all kinds of cells.
pub(super) struct Place {
    /// In how many it is ranked.
    pub(super) all: usize,
    /// In how many it is best or tied.
    pub(super) first: usize,
    /// Its ratios to the best in the others, from the least to the greatest.
    pub(super) elsewhere: Option<(f64, f64)>,
}

impl Place {
    pub(super) fn of(results: &Results, rows: &[&Row<'_>], name: &str, figure: Figure) -> Self {
        let (mut first, mut apart) = (0, Vec::new());
        for row in rows.iter().filter(|row| row.backend == name) {
            match Standing::of(&results.verdict, row, figure) {
                Standing::Best | Standing::Tie(_) => first += 1,
                Standing::Apart(ratio) => apart.push(ratio.median),
                Standing::ClientBound(_) | Standing::Lacking { .. } | Standing::Unranked => {}
            }
        }
        let all = first + apart.len();
        let elsewhere = Spread::of(apart).map(|spread| (spread.least, spread.greatest));
        Self { all, first, elsewhere }
    }
}

/// Where all backends stand by all figures; none if nothing is ranked.
pub(super) fn places(results: &Results, rows: &[&Row<'_>]) -> Option<Table> {
    let figures = [
        ("CPU a request", Figure::ServerCpuUsPerRequest),
        ("requests a second", Figure::RequestsPerSecond),
        ("p99", Figure::P99Us),
    ];
    let entry = |name: &str, figure| {
        let Place { all, first, elsewhere } = Place::of(results, rows, name, figure);
        if all == 0 {
            return Entry { text: "–".to_owned(), note: String::new() };
        }
        let note = elsewhere.map_or_else(String::new, |(least, most)| {
            format!("else ×{}", between(&format!("{least:.2}"), &format!("{most:.2}")))
        });
        Entry { text: format!("{first} of {all}"), note }
    };
    let line = |name: &str| {
        let slope = results.verdict.slopes.iter().find(|slope| slope.backend == name);
        let kernel = slope.and_then(|slope| slope.kernel_kib_per_connection);
        let memory = Entry {
            text: slope.map_or("–".to_owned(), |slope| {
                format!("{} KiB", short(slope.user_kib_per_connection))
            }),
            note: kernel
                .map_or_else(String::new, |kib| format!("+ {} of the kernel's", short(kib))),
        };
        let places = figures.iter().map(|(_, figure)| entry(name, *figure));
        (name.to_owned(), places.chain([memory]).collect())
    };
    let columns = figures.iter().map(|(words, _)| *words).chain(["memory a connection"]);
    let table = Table {
        caption: "In how many kinds of cell each is best, or tied with the best".to_owned(),
        columns: columns.map(str::to_owned).collect(),
        lines: names(rows).into_iter().map(line).collect(),
    };
    (rounds(results) >= ENOUGH_ROUNDS).then_some(table)
}

/// Who needed the least CPU a request, with those tied with it, for each scenario and number of
/// connections; with too few rounds what was seen.
pub(super) fn matrix(results: &Results, rows: &[&Row<'_>]) -> Table {
    let is_ranked = rounds(results) >= ENOUGH_ROUNDS;
    let mut counts: Vec<usize> = rows.iter().map(|row| row.connections).collect();
    counts.sort_unstable();
    counts.dedup();
    let lines = sections(results, rows).into_iter().map(|(title, section)| {
        let entry = |count: &usize| {
            let kind: Vec<&Row<'_>> =
                section.iter().filter(|row| row.connections == *count).copied().collect();
            let text = if is_ranked { least(results, &kind) } else { cpu_range(&kind) };
            Entry { text: text.unwrap_or_default(), note: String::new() }
        };
        (title.to_string(), counts.iter().map(entry).collect())
    });
    Table {
        caption: if is_ranked {
            "Least CPU a request, and whoever is tied with it, by connections".to_owned()
        } else {
            "µs of CPU a request, by connections: least and greatest of the backends".to_owned()
        },
        columns: counts.iter().map(|count| thousands(*count as f64)).collect(),
        lines: lines.collect(),
    }
}

fn least(results: &Results, kind: &[&Row<'_>]) -> Option<String> {
    let figure = Figure::ServerCpuUsPerRequest;
    let standing = |row: &&&Row<'_>| Standing::of(&results.verdict, row, figure);
    let best = kind.iter().find(|row| standing(row) == Standing::Best)?.backend;
    let tied = kind.iter().filter(|row| matches!(standing(row), Standing::Tie(_)));
    let tied = tied.map(|row| row.backend);
    Some([best].into_iter().chain(tied).collect::<Vec<_>>().join(" = "))
}

/// The least and the greatest median; who has them is for more rounds to say.
fn cpu_range(kind: &[&Row<'_>]) -> Option<String> {
    let medians = kind
        .iter()
        .filter(|row| row.lacking().is_none())
        .filter_map(|row| Some(row.spread(|measured| measured.server_cpu_us_per_request)?.median));
    let Spread { least, greatest, .. } = Spread::of(medians)?;
    let (least, greatest) = (short(least), short(greatest));
    Some(if least == greatest { least } else { format!("{least}–{greatest}") })
}

pub(super) fn by_connections<'a, 'r>(
    rows: &'a [&'a Row<'r>],
) -> impl Iterator<Item = &'a [&'a Row<'r>]> {
    rows.chunk_by(|a, b| a.connections == b.connections)
}

pub(super) fn between(least: &str, greatest: &str) -> String {
    if least == greatest { least.to_owned() } else { format!("{least} to {greatest}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;
    use crate::report::rows::rows;

    fn line((_, entries): &(String, Vec<Entry>)) -> String {
        let entries = entries.iter().map(|entry| format!("{} {}", entry.text, entry.note));
        entries.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn with_six_rounds_the_best_are_named_and_ties_are_ties() {
        let results = example(6, &[("threads", 12.0), ("mio", 6.0), ("may", 6.0)]);
        let rows = rows(&results.cells);
        let rows: Vec<&Row<'_>> = rows.iter().collect();
        assert_eq!(line(&matrix(&results, &rows).lines[0]), "mio = may ");
        let places = places(&results, &rows).expect("they are ranked");
        assert_eq!(line(&places.lines[0]), "0 of 1 else ×2.00; 1 of 1 ; – ; – ");
        assert_eq!(line(&places.lines[1]), "1 of 1 ; 1 of 1 ; – ; – ");
    }

    #[test]
    fn with_few_rounds_nobody_is() {
        let results = example(1, &[("threads", 12.0), ("mio", 6.0)]);
        let rows = rows(&results.cells);
        let rows: Vec<&Row<'_>> = rows.iter().collect();
        assert_eq!(line(&matrix(&results, &rows).lines[0]), "6.00–12.0 ");
        assert!(places(&results, &rows).is_none());
    }

    #[test]
    fn rates_that_differ_by_connections_are_one_manner_of_asking() {
        let mut results = example(1, &[("mio", 6.0)]);
        results.experiment.shapes = ["closed", "open 50%", "open 7/s"].map(str::to_owned).to_vec();
        let of = |shape: &str| {
            let mut of = example(1, &[("mio", 6.0)]);
            of.cells[0].shape = shape.to_owned();
            let rows = rows(&of.cells);
            Title::of(&results, &rows[0]).manner.to_owned()
        };
        assert_eq!(of("closed"), "closed");
        assert_eq!(of("open 5100/s"), "open 50%");
        assert_eq!(of("open 7/s"), "open 7/s", "one that was asked for by its name");
    }

    #[test]
    fn rounds_that_were_not_measured_rank_nobody() {
        let mut results = example(3, &[("threads", 12.0), ("mio", 6.0)]);
        (results.experiment.rounds, results.complete) = (9, false);
        let rows = rows(&results.cells);
        let rows: Vec<&Row<'_>> = rows.iter().collect();
        assert_eq!(line(&matrix(&results, &rows).lines[0]), "6.00–12.0 ");
        assert!(places(&results, &rows).is_none());
    }
}
