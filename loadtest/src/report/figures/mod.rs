//! The figures of one scenario under one manner of asking: each a chart, and the same in a table.

mod costs;
mod timeline;
mod times;

pub(super) use self::timeline::step_seconds;

use super::json::{Measured, Results};
use super::looks::Looks;
use super::numbers::thousands;
use super::rows::Row;
use super::standing::Standing;
use super::verdict::Figure as Ranked;

/// A chart with the table of what it shows.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) heading: String,
    pub(super) meaning: String,
    pub(super) chart: String,
    pub(super) table: Table,
}

/// A table: what its columns are, and a line for each backend.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<String>,
    pub(super) lines: Vec<(String, Vec<Entry>)>,
}

/// What stands in a table: a figure, and what there is to say about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) text: String,
    pub(super) note: String,
}

/// How a figure is written.
type Show = fn(f64) -> String;

/// One scenario under one manner of asking.
#[derive(Clone, Copy)]
pub(super) struct Section<'a, 'r> {
    pub(super) rows: &'a [&'a Row<'r>],
    pub(super) looks: &'a Looks<'r>,
    pub(super) results: &'r Results,
}

impl Section<'_, '_> {
    fn kinds(&self) -> impl Iterator<Item = &[&Row<'_>]> {
        self.rows.chunk_by(|a, b| a.connections == b.connections)
    }

    fn counts(&self) -> Vec<f64> {
        self.kinds().filter_map(|kind| Some(kind.first()?.connections as f64)).collect()
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in self.rows {
            if !names.contains(&row.backend) {
                names.push(row.backend);
            }
        }
        names
    }

    fn most(&self, value: fn(&Measured) -> Option<f64>) -> f64 {
        let greatest = self.rows.iter().filter_map(|row| Some(row.spread(value)?.greatest));
        greatest.fold(0.0, f64::max)
    }

    fn row(&self, name: &str, connections: f64) -> Option<&Row<'_>> {
        let of = |row: &&&Row<'_>| {
            row.backend == name && (row.connections as f64 - connections).abs() < 0.5
        };
        self.rows.iter().find(of).copied()
    }

    fn note(&self, row: &Row<'_>, ranked: Option<Ranked>) -> Option<String> {
        let standing = Standing::of(&self.results.verdict, row, ranked?);
        Some(standing.in_words()).filter(|words| !words.is_empty())
    }

    fn table(&self, caption: &str, entry: impl Fn(&Row<'_>) -> Entry) -> Table {
        let counts = self.counts();
        let lines = self.names().into_iter().map(|name| {
            let entries =
                counts.iter().map(|count| self.row(name, *count).map(&entry).unwrap_or_default());
            (name.to_owned(), entries.collect())
        });
        Table {
            caption: caption.to_owned(),
            columns: counts.iter().map(|count| thousands(*count)).collect(),
            lines: lines.collect(),
        }
    }
}

/// What a chart shows, in words: where each line begins and ends. The table has the rest.
fn described(table: &Table) -> String {
    let lines = table.lines.iter().filter_map(|(name, entries)| {
        let entries = entries.iter().zip(&table.columns);
        let told = entries.filter(|(entry, _)| !matches!(entry.text.as_str(), "" | "–"));
        let told: Vec<String> =
            told.map(|(entry, column)| format!("{} at {column}", entry.text)).collect();
        match &told[..] {
            [] => None,
            [one] => Some(format!("{name} {one}")),
            [first, .., last] => Some(format!("{name} {first}, {last}")),
        }
    });
    lines.collect::<Vec<_>>().join("; ")
}
