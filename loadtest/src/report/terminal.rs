//! What the terminal shows of a comparison: its table, and words that other reports use too.

use super::json::Results;
use super::table::table;
use crate::load::Errors;

/// All that is said of a comparison: what has to be known before any figure, then the figures, then
/// what follows from them.
pub(crate) fn whole(results: &Results) -> String {
    let verdict = &results.verdict;
    let warnings: String = verdict.warnings().into_iter().map(|warning| warning + "\n\n").collect();
    let passed = verdict.null_test.as_ref().filter(|test| test.passed != Some(false));
    let passed = passed.map_or_else(String::new, |test| format!("\n{test}\n"));
    let rungs = if results.experiment.ladder { verdict.rungs() } else { Vec::new() };
    let rungs: String = rungs.into_iter().map(|line| line + "\n").collect();
    warnings + &table(results) + &passed + &rungs
}

/// Errors by kind in words.
pub(crate) fn errors(errors: &Errors) -> String {
    if errors.is_empty() {
        return "none".to_owned();
    }
    errors.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

/// What went wrong with requests and connections, in words, if anything did.
pub(crate) fn trouble(errors: &Errors, reconnects: u64) -> Option<String> {
    let failed = (!errors.is_empty()).then(|| format!("errors: {}", self::errors(errors)));
    let closed = (reconnects > 0).then(|| format!("idle connections closed: {reconnects}"));
    let all: Vec<_> = failed.into_iter().chain(closed).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// A time in the unit that suits it.
pub(crate) fn microseconds(value: f64) -> String {
    match value {
        value if value < 1e3 => format!("{value:.0}µs"),
        value if value < 1e6 => format!("{:.2}ms", value / 1e3),
        value => format!("{:.2}s", value / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_connections_are_told_beside_errors_and_are_none() {
        let reset = Errors::from([("reset".to_owned(), 2)]);
        assert_eq!(trouble(&Errors::new(), 0), None);
        let told = |errors: &Errors, reconnects| trouble(errors, reconnects).expect("some");
        assert_eq!(told(&reset, 0), "errors: reset 2");
        assert_eq!(told(&Errors::new(), 3), "idle connections closed: 3");
        assert_eq!(told(&reset, 3), "errors: reset 2; idle connections closed: 3");
    }
}
