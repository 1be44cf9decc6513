//! The seeds hold what is to be held, and show each kind of difference there is.

#![allow(clippy::unwrap_used, reason = "what fails here should fail the test")]

use std::{collections::BTreeMap, fs, path::Path};

use arbitrary::{Arbitrary, Unstructured};
use http1_fuzz::{
    Difference, Input, answers_beside_hyper, answers_in_any_split, differences,
    requests_beside_hyper, requests_in_any_split,
};

/// The seeds of this kind, by name.
fn seeds(kind: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(kind);
    let seed = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    fs::read_dir(folder).unwrap().map(|entry| seed(entry.unwrap())).collect()
}

fn input(bytes: &[u8]) -> Input<'_> {
    Input::arbitrary_take_rest(Unstructured::new(bytes)).unwrap()
}

/// Whether `beside_hyper` finds in each seed the difference that has its name, and in those with
/// other names none.
fn check(
    kind: &str,
    differences: &[&Difference],
    beside_hyper: fn(&Input<'_>) -> Option<&'static Difference>,
) {
    let seeds = seeds(kind);
    for (name, bytes) in &seeds {
        let expected = differences.iter().find(|difference| name.starts_with(difference.name));
        let found = beside_hyper(&input(bytes));
        let names = [expected.copied(), found].map(|it| it.map(|difference| difference.name));
        assert_eq!(names[0], names[1], "{kind}/{name}");
    }
    for difference in differences {
        assert!(seeds.contains_key(difference.name), "no seed shows {}", difference.name);
        assert!(difference.verdict.starts_with("RFC "), "{} needs a section", difference.name);
    }
}

#[test]
fn requests() {
    let [differences, _] = differences();
    for bytes in seeds("requests").values() {
        requests_in_any_split(&input(bytes));
    }
    check("requests", &differences, requests_beside_hyper);
}

#[test]
fn answers() {
    let [_, differences] = differences();
    for bytes in seeds("answers").values() {
        answers_in_any_split(&input(bytes));
    }
    check("answers", &differences, answers_beside_hyper);
}
