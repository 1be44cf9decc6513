//! `loadtest serve`, with scripts that stand in for the servers.

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{programs, stderr};

/// Says who it is and what it was given.
const SCRIPT: &str = "echo $$ ${0##*/} \"$@\"; exit 7";

/// Becomes a server in an environment that says nothing but this; the exit, and its process id.
fn serve(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> (Output, u32) {
    let mut command = Command::new(program);
    command.arg("serve").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("BACKEND").env_remove("FIVE_PUBLISHED").envs(environment.to_vec());
    let child = command.spawn().expect("it runs");
    let id = child.id();
    (child.wait_with_output().expect("it ends"), id)
}

#[test]
fn it_becomes_the_server() {
    let (_folder, program) = programs(&[("server-mio", SCRIPT), ("server-tokio", SCRIPT)]);
    let becomes = |arguments: &[&str], environment: &[(&str, &str)], wanted: &str| {
        let (output, id) = serve(&program, arguments, environment);
        assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{id} {wanted}\n"));
        assert_eq!(stderr(&output), "", "nobody asked what to try");
    };
    becomes(&["mio", "--workers", "2", "--help"], &[], "server-mio --workers 2 --help");
    becomes(&["--health"], &[("BACKEND", "mio")], "server-mio --health");
    becomes(&["tokio"], &[("BACKEND", "mio")], "server-tokio");
    becomes(&[], &[], "server-tokio");
}

#[test]
fn an_unknown_name_is_refused_in_one_line_that_has_the_five() {
    let (_folder, program) = programs(&[]);
    for (arguments, environment, said) in [
        (&["nope"] as &[_], &[] as &[_], "loadtest: nope: "),
        (&["--workers", "2"], &[("BACKEND", "nope")], "loadtest: BACKEND=nope: "),
    ] {
        let (output, _) = serve(&program, arguments, environment);
        let five = "no such backend; it is one of threads, mio, may, actix, tokio\n";
        assert_eq!(stderr(&output), format!("{said}{five}"));
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_program_that_is_missing_is_named() {
    let (_folder, program) = programs(&[]);
    let (output, _) = serve(&program, &["may"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/server-may"), "{}", stderr(&output));
}

#[test]
fn where_it_is_published_it_says_what_to_try() {
    let (_folder, program) = programs(&[("server-may", SCRIPT)]);
    let published = [("FIVE_PUBLISHED", "http://localhost:8080"), ("BACKEND", "may")];
    let (output, _) = serve(&program, &[], &published);
    for command in ["curl http://localhost:8080/ ", "loadtest run", "BACKEND=actix docker compose"]
    {
        assert!(stderr(&output).contains(command), "no {command} in {}", stderr(&output));
    }
    let (output, _) = serve(&program, &["--health"], &published);
    assert_eq!(stderr(&output), "", "a check is asked for nothing else");
}
