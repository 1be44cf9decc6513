//! What the terminal shows of a comparison: its table, and words that other reports use too.

pub(crate) use super::table::table;
use crate::load::Errors;

/// Errors by kind in words.
pub(crate) fn errors(errors: &Errors) -> String {
    if errors.is_empty() {
        return "none".to_owned();
    }
    errors.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

/// A time in the unit that suits it.
pub(crate) fn microseconds(value: f64) -> String {
    match value {
        value if value < 1e3 => format!("{value:.0}µs"),
        value if value < 1e6 => format!("{:.2}ms", value / 1e3),
        value => format!("{:.2}s", value / 1e6),
    }
}
