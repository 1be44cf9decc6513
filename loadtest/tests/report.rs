//! What `loadtest report` makes of a `results.json`, whoever wrote that.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use common::made::{Made, ROWS};
use common::{loadtest, stderr};
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use tempfile::TempDir;

const SCENARIOS: [&str; 10] = [
    "echo",
    "echo-16k",
    "delay",
    "anything",
    "burn",
    "block",
    "stream",
    "proxy",
    "proxy-slow",
    "mixed",
];
const SMALL: Made<'_> = Made {
    rows: &ROWS,
    scenarios: &["echo", "block"],
    shapes: &["closed", "open 5000/s"],
    connections: &[1, 64, 10_000],
    rounds: 6,
    seconds: 3,
    samples: 300,
    alike: false,
    seed: 7,
};

/// The folder in which a report was made of these results, and what the program said.
fn report(results: &Value) -> (TempDir, Output) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("results.json");
    fs::write(&file, serde_json::to_vec(results).expect("JSON")).expect("a file");
    let output = loadtest(&["report", file.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{}", stderr(&output));
    (folder, output)
}

fn read(folder: &TempDir, file: impl AsRef<Path>) -> String {
    fs::read_to_string(folder.path().join(file)).expect("a file")
}

#[test]
fn the_page_asks_for_nothing_from_outside() {
    let (folder, _) = report(&SMALL.results());
    let page = read(&folder, "report.html");
    for outside in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        "<object",
        "<embed",
        " src=",
        "@import",
        "url(",
        "http://",
        "https://",
        "javascript:",
        " onload",
        " onclick",
    ] {
        assert!(!page.contains(outside), "the page has {outside}");
    }
    let links: Vec<&str> = page.split("href=").skip(1).collect();
    assert_eq!(links.len(), 4, "one to each scenario and shape");
    assert!(links.iter().all(|link| link.starts_with("\"#")), "and to nowhere else");
    assert!(page.contains("Content-Security-Policy\" content=\"default-src 'none';"));
    assert!(page.contains("prefers-color-scheme: dark"));
}

#[test]
fn what_a_chart_shows_stands_in_words_and_in_a_table_beside_it() {
    let (folder, _) = report(&SMALL.results());
    let page = read(&folder, "report.html");
    let charts: Vec<&str> = page.split("<svg ").skip(1).collect();
    let charts: Vec<&&str> = charts.iter().filter(|chart| chart.contains("role='img'")).collect();
    assert!(charts.len() > 20, "{}", charts.len());
    for chart in charts {
        assert!(chart.contains("<title>") && chart.contains("<desc>"), "{chart}");
        let after = chart.split("</svg>").nth(1).expect("something follows");
        assert!(
            after.starts_with("</div>\n<div class=\"scroll\" tabindex=\"0\"><table>"),
            "{after}"
        );
    }
    for chart in ["CPU a request", "Requests a second", "Memory", "Service time by percentile"] {
        assert!(page.contains(chart), "{chart}");
    }
    assert!(page.contains(">ceiling</text>"), "the generator's own");
    assert!(page.contains("Response time by percentile"), "of the open loop");
    assert!(page.contains("Bystanders by percentile"), "of block");
}

#[test]
fn hostile_names_stay_text() {
    let script = "<script>alert(1)</script>";
    let image = "\"><img src=x onerror='alert(1)'>";
    let escape = "\u{1b}[2J\r\n=1+1,\"x\"";
    let rows = [
        (script, "compared", 8.0, 1.0, 1.0),
        (image, "compared", 9.0, 2.0, 1.0),
        (escape, "compared", 7.0, 3.0, 1.0),
    ];
    let mut results = Made { rows: &rows, scenarios: &["echo"], ..SMALL }.results();
    for key in ["processor", "kernel", "command", "repeat", "commit", "version", "time"] {
        results["environment"][key] = script.into();
    }
    results["environment"]["limits"] = serde_json::json!({ script: image });
    results["cells"][0]["limit"] = image.into();
    results["cells"][1]["scenario"] = script.into();
    results["cells"][2]["shape"] = image.into();
    results["cells"][3]["failure"] = script.into();
    results["cells"][4]["errors"] = serde_json::json!({ script: 1 });
    let (folder, output) = report(&results);

    let page = read(&folder, "report.html");
    assert!(!page.contains("<script") && !page.contains("<img"), "a tag came through");
    assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"));
    assert!(!output.stdout.contains(&0x1b), "the terminal was told something");

    let table = read(&folder, "results.csv");
    assert!(table.contains("\"\u{1b}[2J\r\n=1+1,\"\"x\"\"\",compared,"), "{table}");
    let logs = fs::read_dir(folder.path().join("histograms")).expect("a folder");
    for log in logs {
        let name = log.expect("a file").file_name().into_string().expect("UTF-8");
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
        assert!(name.chars().all(plain), "{name}");
    }
}

#[test]
fn a_thorough_comparison_fits_into_a_megabyte() {
    let made = Made {
        scenarios: &SCENARIOS,
        shapes: &["closed"],
        connections: &[1, 16, 64, 256, 1_024, 10_000],
        rounds: 9,
        seconds: 10,
        samples: 100,
        alike: true,
        ..SMALL
    };
    let (folder, _) = report(&made.results());
    let page = read(&folder, "report.html");
    assert!(page.len() <= 1_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("Service time by percentile, ").count(), 2 * 60, "all are drawn");
    assert!(!page.contains("For want of room"));
    for scenario in SCENARIOS {
        assert!(page.contains(&format!("<h2>{scenario}, closed</h2>")), "{scenario}");
    }
}

#[test]
fn one_that_is_still_larger_says_what_it_leaves_out() {
    let shapes = ["closed", "open 5000/s", "held 100 active"];
    let made = Made {
        scenarios: &SCENARIOS,
        shapes: &shapes,
        connections: &[1, 16, 64, 256, 1_024, 10_000],
        rounds: 1,
        seconds: 10,
        samples: 30,
        alike: true,
        ..SMALL
    };
    let (folder, _) = report(&made.results());
    let page = read(&folder, "report.html");
    assert!(page.len() <= 1_000_000, "{} bytes", page.len());
    assert!(page.contains("For want of room"), "{} bytes", page.len());
}

#[test]
fn the_other_forms_have_every_cell_and_round() {
    let results = SMALL.results();
    let cells = results["cells"].as_array().expect("cells").len();
    let (folder, _) = report(&results);
    let table = read(&folder, "results.csv");
    assert_eq!(table.lines().count(), 1 + cells);

    // Six rows at three numbers of connections in two scenarios and two shapes; the twin and the
    // floor in echo alone.
    let logs: Vec<_> = fs::read_dir(folder.path().join("histograms")).expect("a folder").collect();
    assert_eq!(logs.len(), 6 * 3 * 2 * 2 + 2 * 3 * 2);
    let log = read(&folder, "histograms/tokio-http1-echo-64-open-5000-s.hlog");
    let entries: Result<Vec<_>, _> = IntervalLogIterator::new(log.as_bytes()).collect();
    let intervals = entries.expect("every line is understood").into_iter();
    let intervals = intervals.filter(|entry| matches!(entry, LogEntry::Interval(_))).count();
    assert_eq!(intervals, 6, "one a round");
}

#[test]
fn bystanders_of_an_open_loop_have_response_times() {
    let made = Made { scenarios: &["block"], ..SMALL };
    let of = |shapes| {
        let (folder, _) = report(&Made { shapes, ..made }.results());
        read(&folder, "report.html")
    };
    let (closed, open) = (of(&["closed"]), of(&["open 5000/s"]));
    assert!(closed.contains("The service times of those who ask"));
    assert!(open.contains("The response times of those who ask"));
}

#[test]
fn a_report_says_what_the_comparison_said() {
    let mut results = Made { scenarios: &["echo"], shapes: &["closed"], ..SMALL }.results();
    results["experiment"]["ladder"] = true.into();
    for cell in results["cells"].as_array_mut().expect("cells") {
        if cell["role"] == "twin" {
            let cpu = cell["server_cpu_us_per_request"].as_f64().expect("a number");
            cell["server_cpu_us_per_request"] = (1.5 * cpu).into();
        }
    }
    let (_folder, output) = report(&results);
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(said.starts_with("The null test failed: mio beside itself"), "{said}");
    assert!(said.contains("\nthreads: 10,000 connections, and nothing stopped it;"), "{said}");
}

#[test]
fn logs_of_an_older_report_are_taken_away_and_nothing_else() {
    let (folder, _) = report(&SMALL.results());
    let logs = folder.path().join("histograms");
    for name in ["old.hlog", "mine.txt"] {
        fs::write(logs.join(name), "").expect("a file");
    }
    let again = loadtest(&["report", folder.path().join("results.json").to_str().expect("UTF-8")]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(!logs.join("old.hlog").exists());
    assert!(logs.join("mine.txt").exists());
}

#[test]
fn a_damaged_histogram_is_refused_in_one_line() {
    let mut results = SMALL.results();
    results["cells"][7]["histogram"] = "HISTFAAAAAA=".into();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("results.json");
    fs::write(&file, results.to_string()).expect("a file");
    let output = loadtest(&["report", file.to_str().expect("UTF-8")]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.lines().count() == 1 && said.contains("the histogram of "), "{said}");
    assert!(!folder.path().join("report.html").exists());
}

/// What a program that writes to this terminal would have shown on it.
fn on_a_terminal(file: &Path, no_color: Option<&str>) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("its other end");
    let other = ptsname(&master, Vec::new()).expect("a name");
    let other = OsStr::from_bytes(other.as_bytes());
    let slave = fs::OpenOptions::new().read(true).write(true).open(other).expect("it opens");
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.arg("report").arg(file).env("TERM", "xterm").env_remove("NO_COLOR").stdout(slave);
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    let mut program = command.spawn().expect("it runs");
    // The command still holds the other end; without it the end of the output would not be seen.
    drop(command);
    let mut shown = Vec::new();
    // A terminal whose other end is closed is an error to Linux, not an end.
    let _ = fs::File::from(master).read_to_end(&mut shown);
    assert!(program.wait().expect("it ends").success());
    String::from_utf8(shown).expect("UTF-8")
}

#[test]
fn there_are_colours_on_a_terminal_only_and_not_against_anybodys_wish() {
    let (folder, output) = report(&Made { scenarios: &["echo"], ..SMALL }.results());
    let file = folder.path().join("results.json");
    assert!(!output.stdout.contains(&0x1b), "a pipe is no terminal");
    let shown = on_a_terminal(&file, None);
    assert!(shown.contains("\u{1b}[1;32mbest\u{1b}[0m"), "{shown}");
    assert!(!on_a_terminal(&file, Some("1")).contains('\u{1b}'));
    assert!(on_a_terminal(&file, Some("")).contains('\u{1b}'), "empty is not set");
}
