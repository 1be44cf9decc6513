//! What was around two runs, and what of it differs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::report::grid::{Cell, Colours, Grid, Side, Tone};
use crate::report::json::Results;
use crate::report::table;

/// One run in a line.
pub(super) fn run(name: &str, results: &Results) -> String {
    let commit = results.environment.commit.as_deref();
    let commit = commit.map_or_else(String::new, |commit| format!(", commit {commit}"));
    let rounds = table::rounds_in_words(results);
    let times = table::times(results);
    let whole = if results.complete { "" } else { ", interrupted" };
    format!("{name}: {}{commit}, {rounds} of {times}{whole}", results.environment.time)
}

/// What differs around the two, or that nothing does.
pub(super) fn differences(before: &Results, after: &Results, colours: Colours) -> String {
    let (before, after) = (facts(before), facts(after));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut grid = Grid::new(&[("", Side::Left), ("A", Side::Left), ("B", Side::Left)]);
    let mut differ = 0;
    grid.heading("What differs around them, and may be the reason");
    for name in names {
        let (a, b) = (before.get(name), after.get(name));
        if a != b {
            let said =
                |fact: Option<&String>| Cell::new(fact.map_or("–", String::as_str), Tone::Plain);
            grid.row(vec![Cell::new(name, Tone::Mark), said(a), said(b)]);
            differ += 1;
        }
    }
    if differ == 0 {
        return "Nothing that is known of their surroundings differs.\n".to_owned();
    }
    grid.draw(colours).trim_start_matches('\n').to_owned()
}

/// What a figure may depend on, by name.
fn facts(results: &Results) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let environment = serde_json::to_value(&results.environment).unwrap_or_default();
    let experiment = serde_json::to_value(&results.experiment).unwrap_or_default();
    let of_environment = [
        "processor",
        "cores",
        "generator_cores",
        "server_cores",
        "memory_mib",
        "kernel",
        "version",
        "commit",
    ];
    let of_experiment = ["warm_up_seconds", "window_seconds", "connect_timeout_seconds"];
    for (of, names) in [(&environment, &of_environment[..]), (&experiment, &of_experiment[..])] {
        for name in names {
            facts.extend(fact(name, &of[*name]));
        }
    }
    for (name, value) in &results.environment.limits {
        facts.insert(name.clone(), value.clone());
    }
    // What is not ours may be another program by the same name.
    for (kind, key) in [("peer", "command"), ("target", "url")] {
        let rows = experiment[format!("{kind}s")].as_array().cloned().unwrap_or_default();
        for row in rows {
            let name = row["name"].as_str().unwrap_or_default();
            facts.extend(fact(&format!("{kind} {name}"), &row[key]));
        }
    }
    facts
}

fn fact(name: &str, value: &Value) -> Option<(String, String)> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some((name.replace('_', " "), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::example;

    #[test]
    fn what_differs_is_named_and_what_does_not_is_not() {
        let before = example(1, &[("mio", 6.0)]);
        let same = differences(&before, &before, Colours::Off);
        assert_eq!(same, "Nothing that is known of their surroundings differs.\n");

        let mut after = example(1, &[("mio", 6.0)]);
        after.environment.cores = 8;
        after.environment.limits.insert("vm.max_map_count".to_owned(), "65530".to_owned());
        after.experiment.window_seconds = 3.0;
        // Neither makes a figure another.
        after.environment.time = "2026-05-01T10:00:00Z".to_owned();
        after.experiment.seed = 8;
        let text = differences(&before, &after, Colours::Off);
        let lines: Vec<&str> = text.lines().skip(2).map(str::trim).collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("cores ") && lines[0].ends_with("0    8"), "{text}");
        assert!(
            lines[1].starts_with("vm.max_map_count") && lines[1].ends_with("–    65530"),
            "{text}"
        );
        assert!(lines[2].starts_with("window seconds"), "{text}");
    }
}
