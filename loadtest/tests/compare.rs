//! `loadtest compare` and `loadtest report`, with servers that stand in for the five.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Reaction, SHORT, compare, double, keys, loadtest, programs, results, stderr};

#[test]
fn every_cell_of_every_round_is_recorded_with_the_documented_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let cells = ["--backends", "floor", "--connections", "1,8", "--rounds", "2", "--seed", "7"];
    // Long enough for an answer on a machine that is busy with other tests.
    let time = ["--duration", "1s"];
    let output = loadtest(&[&["compare", "--out", out][..], &time, &cells].concat());
    assert!(output.status.success(), "{}", stderr(&output));

    let results = results(folder.path());
    assert_eq!(results["schema"], 2);
    assert_eq!(results["experiment"]["seed"], 7);
    let cells = results["cells"].as_array().expect("cells");
    let mut measured: Vec<_> =
        cells.iter().map(|cell| (cell["round"].as_u64(), cell["connections"].as_u64())).collect();
    measured.sort_unstable();
    let wanted = [(1, 1), (1, 8), (2, 1), (2, 8)];
    assert_eq!(measured, wanted.map(|(round, count)| (Some(round), Some(count))));
    for cell in cells {
        assert_eq!(
            keys(cell),
            [
                "backend",
                "bystanders_are",
                "bystanders_us",
                "client_bound",
                "connected",
                "connections",
                "errors",
                "established",
                "forced_switches_per_request",
                "fresh_kernel_kib",
                "fresh_memory_kib",
                "generator_utilisation",
                "held_kernel_kib",
                "held_memory_kib",
                "histogram",
                "kernel_kib_per_connection",
                "lateness_us",
                "limit",
                "memory_is",
                "memory_kib_per_connection",
                "open_files",
                "ramp_seconds",
                "reconnects",
                "requests",
                "requests_per_second",
                "response_time_us",
                "role",
                "round",
                "scenario",
                "server_cpu_us_per_request",
                "server_utilisation",
                "service_time_us",
                "shape",
                "threads",
                "timeline",
                "upstream_utilisation",
                "voluntary_switches_per_request",
            ]
        );
        assert_eq!(keys(&cell["held_kernel_kib"]), ["page_tables", "slab", "stacks"]);
        assert_eq!(keys(&cell["service_time_us"]), ["max", "p50", "p90", "p99", "p999"]);
        assert!(cell["requests_per_second"].as_f64() > Some(0.0), "{cell}");
        assert!(cell["server_cpu_us_per_request"].as_f64() > Some(0.0), "{cell}");
        assert_eq!(cell["connections"], cell["established"], "{cell}");
        assert_eq!(cell["threads"], 1, "{cell}");
        assert_eq!(cell["errors"], serde_json::json!({}), "{cell}");
    }
}

#[test]
fn the_report_is_made_again_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let cells = ["--backends", "floor", "--connections", "4"];
    let output = loadtest(&[&["compare", "--out", out][..], &SHORT, &cells].concat());
    assert!(output.status.success(), "{}", stderr(&output));

    let page = folder.path().join("report.html");
    let first = fs::read_to_string(&page).expect("report.html");
    for within in ["<svg", "floor", "Nothing is ranked", "--seed "] {
        assert!(first.contains(within), "the page lacks {within}");
    }

    fs::remove_file(&page).expect("it is there");
    let again = loadtest(&["report", folder.path().join("results.json").to_str().expect("UTF-8")]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(fs::read_to_string(&page).expect("report.html"), first);
}

#[test]
fn a_server_that_fails_leaves_its_last_words_and_the_others_go_on() {
    let (folder, program) = programs(&[
        ("server-mio", "echo 'error: no luck today' >&2; exit 3"),
        ("server-may", "exec \"$(dirname \"$0\")/loadtest\" floor \"$@\""),
    ]);
    let cells = ["--backends", "threads,mio,may", "--connections", "2", "--out", "out"];
    let output = compare(&program, folder.path(), &cells);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));

    let results = results(&folder.path().join("out"));
    let cells = results["cells"].as_array().expect("cells");
    let of = |backend: &str| cells.iter().find(|cell| cell["backend"] == backend).expect("a cell");
    let failure = |backend: &str| of(backend)["failure"].as_str().unwrap_or_default().to_owned();
    assert!(failure("mio").contains("no luck today"), "{}", failure("mio"));
    assert!(failure("threads").contains("server-threads"), "{}", failure("threads"));
    assert!(of("mio").get("requests").is_none(), "nothing was measured: {}", of("mio"));
    assert!(of("may")["requests"].as_u64() > Some(0), "{}", of("may"));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("no luck today"), "{table}");
}

#[test]
fn a_server_that_ends_in_the_middle_fails_its_cell() {
    let (folder, program) = programs(&[(
        "server-mio",
        // Serves for a moment; the comparison must not take what it did for a measurement.
        "\"$(dirname \"$0\")/loadtest\" floor \"$@\" & sleep 0.4; kill $!; echo 'gave up' >&2",
    )]);
    let cells = ["--backends", "mio", "--connections", "2", "--out", "out", "--duration", "2s"];
    let mut command = Command::new(&program);
    let output = command.current_dir(folder.path()).arg("compare").args(cells).output();
    assert_eq!(output.expect("it runs").status.code(), Some(1));
    let results = results(&folder.path().join("out"));
    let failure = results["cells"][0]["failure"].as_str().unwrap_or_default();
    assert!(failure.contains("gave up"), "{failure}");
}

#[test]
fn errors_are_told_as_soon_as_their_cell_is_over() {
    let address = double(|number| match number {
        10..15 => Reaction::Reset,
        _ => Reaction::Echo,
    });
    let script = format!("echo 'INFO listening address={address}' >&2; exec sleep 60");
    let (folder, program) = programs(&[("server-mio", &script)]);
    // A POST: a GET that is reset on a connection which was idle is asked once more, and no error; and
    // on a busy machine the start may keep users waiting for so long.
    let cells = ["--backends", "mio", "--scenarios", "echo-16k", "--connections", "2"];
    // Long enough for fifteen requests there, and for the waits after errors.
    let time = ["--warm-up", "50ms", "--duration", "3s"];
    let mut command = Command::new(&program);
    let output = command.current_dir(folder.path()).arg("compare").args(time).args(cells).output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "some errors are for the table: {}", stderr(&output));
    assert!(
        stderr(&output).contains("\nmio, echo-16k, 2 connections: errors: reset 5\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn latest_leads_to_the_last_comparison() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_loadtest"));
    let output = compare(program, folder.path(), &["--backends", "floor", "--connections", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let latest = folder.path().join("results/latest");
    assert!(latest.is_symlink());
    assert_eq!(results(&latest)["schema"], 2);
    assert!(latest.join("report.html").is_file());
}

#[test]
fn the_results_of_another_comparison_are_replaced_only_by_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    fs::write(folder.path().join("notes.txt"), "mine").expect("a file");
    let again = |more: &[&str]| {
        let cells = ["--backends", "floor", "--connections", "1"];
        loadtest(&[&["compare", "--out", out][..], &SHORT, &cells, more].concat())
    };
    let first = again(&[]);
    assert!(first.status.success(), "other files are no obstacle: {}", stderr(&first));
    let figures = || fs::read(folder.path().join("results.json")).expect("results.json");
    let before = figures();

    let refused = again(&[]);
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(out) && said.contains("--force"), "{said}");
    assert_eq!(figures(), before);

    let forced = again(&["--force"]);
    assert!(forced.status.success(), "{}", stderr(&forced));
    assert_ne!(figures(), before);
}

#[test]
fn a_folder_that_cannot_be_written_in_is_found_out_before_the_first_cell() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    // One can't be made; in the other nothing can be, whoever asks.
    for out in [&file.path().join("out"), Path::new("/proc/self")] {
        let out = out.to_str().expect("UTF-8");
        let output =
            loadtest(&["compare", "--backends", "floor", "--duration", "1h", "--out", out]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("--out") && said.contains(out), "{said}");
    }
}

#[test]
fn a_comparison_says_beforehand_how_long_it_takes_and_a_dash_afterwards_what_it_means() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = Path::new(env!("CARGO_BIN_EXE_loadtest"));
    let output = compare(program, folder.path(), &["--backends", "floor", "--connections", "1,2"]);
    let said = stderr(&output);
    assert!(said.starts_with("2 cell(s) of 1s after 50ms of warm-up, 1 round(s), "), "{said}");
    assert!(said.contains(": about 2s; "), "{said}");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("1s a cell after 50ms of warm-up"), "{table}");
    assert!(table.contains("limit is what was seen to hold a cell back, a dash"), "{table}");
}

#[test]
fn a_file_that_is_no_result_is_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("no.json", "{"), ("other.json", "{\"schema\": 1}")] {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        let output = loadtest(&["report", path.to_str().expect("UTF-8")]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(name) && said.contains("schema 2"), "{said}");
    }
}
