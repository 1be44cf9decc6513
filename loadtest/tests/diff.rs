//! Two runs beside one another, as `loadtest diff` tells of them.

mod common;

use std::fs;
use std::path::Path;

use common::made::{Made, ROWS};
use common::{loadtest, stderr};
use serde_json::Value;

/// The same whenever it is made, so that nothing differs by chance.
fn made() -> Value {
    Made {
        rows: &ROWS,
        scenarios: &["echo"],
        shapes: &["closed"],
        connections: &[64],
        rounds: 9,
        seconds: 3,
        samples: 300,
        alike: false,
        seed: 7,
    }
    .results()
}

fn write(folder: &Path, name: &str, results: &Value) -> String {
    let folder = folder.join(name);
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("results.json"), results.to_string()).expect("a file");
    folder.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_change_is_found_and_everything_else_is_a_tie() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut after = made();
    after["environment"]["kernel"] = "6.19.0".into();
    for cell in after["cells"].as_array_mut().expect("cells") {
        if cell["backend"] == "tokio" {
            let cpu = cell["server_cpu_us_per_request"].as_f64().expect("a number");
            cell["server_cpu_us_per_request"] = (1.25 * cpu).into();
        }
    }
    let before = write(folder.path(), "before", &made());
    let after = write(folder.path(), "after", &after);
    let output = loadtest(&["diff", &before, &format!("{after}/results.json")]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).expect("UTF-8");

    let changed: Vec<&str> =
        text.lines().filter(|line| line.ends_with("worse") || line.ends_with("better")).collect();
    let [line] = changed[..] else { panic!("{changed:?} in\n{text}") };
    assert!(line.starts_with("  tokio ") && line.contains(" CPU/request "), "{line}");
    assert!(line.contains("×1.25 ("), "{line}");
    let kernel = text.find("  kernel  6.18.0  6.19.0\n").expect("the kernels");
    assert!(kernel < text.find("CPU/request").expect("the table"), "{text}");
    assert!(text.contains("The floor costs the same in both"), "{text}");
}

#[test]
fn a_file_that_is_no_result_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = write(folder.path(), "before", &made());
    let nothing = folder.path().to_str().expect("UTF-8");
    let output = loadtest(&["diff", &before, nothing]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.lines().count() == 1 && said.contains(nothing), "{said}");
    assert!(output.stdout.is_empty());
}
