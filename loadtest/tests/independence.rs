//! `loadtest` speaks to servers over TCP and links nothing of theirs: one bug must not hide at
//! both ends of the wire.

#[test]
fn no_crate_of_this_workspace_is_linked() {
    let lock = include_str!("../../Cargo.lock");
    let package = |name: &str| {
        let head = format!("[[package]]\nname = \"{name}\"\n");
        lock.split("\n\n").find(|package| package.starts_with(&head))
    };
    let loadtest = package("loadtest").expect("loadtest is locked");
    let dependencies: Vec<&str> = loadtest
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","))
        .filter_map(|dependency| dependency.split(' ').next())
        .collect();
    assert!(dependencies.contains(&"goose"), "{dependencies:?}");
    for name in dependencies {
        let dependency = package(name).expect("a dependency is locked");
        assert!(dependency.contains("\nsource = "), "{name} is a crate of this workspace");
    }
}
