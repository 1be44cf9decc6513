//! The charts over connections, each a file of its own: for slides, and wherever a picture can stand.

use super::figures::Section;
use super::findings;
use super::json::Results;
use super::looks::{self, Looks};
use super::places;
use super::rows::rows;

/// The style sheet of charts, which the page has as well.
const STYLE: &str = include_str!("../../templates/chart.css");

/// The name of each file, and what is in it: SVG that needs nothing else, light or dark as its
/// reader has it.
pub(super) fn charts(results: &Results) -> Vec<(String, String)> {
    let rows = rows(&results.cells);
    let drawn = findings::compared(&rows);
    let (looks, style) = (Looks::of(results), style());
    let mut charts = Vec::new();
    for (title, rows) in places::sections(results, &drawn) {
        let section = Section { rows: &rows, looks: &looks, results };
        let figures = [
            ("cpu", section.cpu()),
            ("throughput", section.throughput()),
            ("memory", section.memory()),
        ];
        for (what, figure) in figures {
            let name = file_name(&[title.scenario, title.manner, what]);
            charts.extend(figure.map(|figure| (name, alone(&figure.chart, &style))));
        }
    }
    charts
}

/// Letters and digits of the words, joined by dashes.
fn file_name(words: &[&str]) -> String {
    let words = words.join("-").to_ascii_lowercase();
    let parts = words.split(|letter: char| !letter.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("-") + ".svg"
}

fn style() -> String {
    format!(
        ":root {{ {} }} @media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n\
         .ground {{ fill: var(--ground); }}\n{STYLE}{}",
        looks::variables(false),
        looks::variables(true),
        looks::style_sheet()
    )
}

/// A chart that was made to stand in a page, as a file.
fn alone(chart: &str, style: &str) -> String {
    let (attributes, drawn) =
        chart.strip_prefix("<svg").and_then(|chart| chart.split_once('>')).unwrap_or(("", chart));
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg'{attributes}><style>{style}</style>\
         <rect class='ground' width='100%' height='100%'/>{drawn}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;

    #[test]
    fn a_chart_is_a_file_that_needs_nothing_else() {
        let charts = charts(&example(6, &[("mio", 6.0), ("tokio/http1", 7.0)]));
        let names: Vec<&str> = charts.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"echo-closed-cpu.svg"), "{names:?}");
        for (name, chart) in &charts {
            assert!(
                chart.starts_with("<svg xmlns='http://www.w3.org/2000/svg' viewBox="),
                "{name}"
            );
            assert_eq!(chart.matches("<svg").count(), 1, "{name}");
            assert!(chart.ends_with("</svg>\n"), "{name}");
            assert!(chart.contains("tokio/http1") && chart.contains("--c5:"), "{name}");
            assert!(!chart.contains("url(") && !chart.contains("href"), "{name} asks for more");
        }
    }

    #[test]
    fn names_of_files_are_plain() {
        assert_eq!(file_name(&["echo", "open 50%", "cpu"]), "echo-open-50-cpu.svg");
        assert_eq!(file_name(&["../x", "open 5/s", "cpu"]), "x-open-5-s-cpu.svg");
    }
}
