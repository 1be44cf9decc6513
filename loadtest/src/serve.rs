//! `loadtest serve`: becomes one of the five servers. What starts a container, where there is no
//! shell to choose a program.

use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use clap::Args;

use crate::lab::Backend;

/// Chooses the backend where no argument does.
const CHOICE: &str = "BACKEND";
/// Where users find the server, if that is not where it listens: somebody may read what to try next.
const PUBLISHED: &str = "FIVE_PUBLISHED";
/// Of a server that only asks another how it is.
const HEALTH: &str = "--health";

/// `loadtest serve`
#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// The backend: threads, mio, may, actix or tokio [default: the variable BACKEND, or tokio];
    /// then the server's own options, which `loadtest serve tokio --help` lists
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "NAME|OPTION")]
    arguments: Vec<OsString>,
}

/// A name that is none of the five.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{said}: no such backend; it is one of {}", Backend::SERVERS.map(Backend::name).join(", "))]
pub(crate) struct NoSuchBackend {
    said: String,
}

/// Returns only if it can't: this process is the server then, with its id, signals and output.
///
/// # Errors
/// [`NoSuchBackend`], or that its program can't be executed.
pub(crate) fn serve(options: &ServeOptions) -> anyhow::Result<Infallible> {
    let (backend, arguments) = choose(&options.arguments, env::var_os(CHOICE))?;
    if let (Some(url), false) = (env::var_os(PUBLISHED), arguments.iter().any(|it| it == HEALTH)) {
        eprintln!("{}", welcome(backend, &url.to_string_lossy()));
    }
    let this = env::current_exe()?;
    let program = this.parent().unwrap_or(Path::new(".")).join(backend.program().0);
    let error = Command::new(&program).args(arguments).exec();
    Err(error).with_context(|| format!("can't become {}", program.display()))
}

/// Which backend, and what is left for it.
fn choose(
    arguments: &[OsString],
    choice: Option<OsString>,
) -> Result<(Backend, &[OsString]), NoSuchBackend> {
    let is_name = |argument: &&OsString| !argument.as_encoded_bytes().starts_with(b"-");
    if let Some(name) = arguments.first().filter(is_name) {
        let name = name.to_string_lossy();
        return Ok((find(&name).ok_or(NoSuchBackend { said: name.into() })?, &arguments[1..]));
    }
    // An empty variable counts as not given.
    let Some(name) = choice.filter(|name| !name.is_empty()) else {
        return Ok((Backend::Tokio, arguments));
    };
    let name = name.to_string_lossy();
    let backend = find(&name).ok_or_else(|| NoSuchBackend { said: format!("{CHOICE}={name}") })?;
    Ok((backend, arguments))
}

fn find(name: &str) -> Option<Backend> {
    Backend::SERVERS.into_iter().find(|backend| backend.name() == name)
}

/// What to try next, where Compose has started it.
fn welcome(backend: Backend, url: &str) -> String {
    let name = backend.name();
    let next = Backend::SERVERS.into_iter().cycle().skip_while(|&it| it != backend).nth(1);
    let next = next.unwrap_or(backend).name();
    let tries = [
        (format!("curl {url}/"), "what it can do"),
        (format!("curl -d hello {url}/proxy/echo"), "through it, to its upstream"),
        ("docker compose run --rm loadtest run http://server:8080/echo".to_owned(), "load it"),
        ("docker compose run --rm compare".to_owned(), "compare all five"),
        (format!("docker compose down; BACKEND={next} docker compose up"), "swap it"),
    ];
    let tries = tries.map(|(command, what)| format!("\n  {command:<62}{what}")).concat();
    format!("{name} is about to serve {url}. Try, in another terminal and in this folder:{tries}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str], choice: Option<&str>) -> Result<(Backend, usize), String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        choose(&arguments, choice.map(OsString::from))
            .map(|(backend, left)| (backend, left.len()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_argument_is_stronger_than_the_variable_and_that_than_nothing() {
        assert_eq!(chosen(&["mio", "--workers", "2"], Some("may")), Ok((Backend::Mio, 2)));
        assert_eq!(chosen(&["--workers", "2"], Some("may")), Ok((Backend::May, 2)));
        assert_eq!(chosen(&[], Some("")), Ok((Backend::Tokio, 0)));
        assert_eq!(chosen(&["--health"], None), Ok((Backend::Tokio, 1)));
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_the_five() {
        let five = "no such backend; it is one of threads, mio, may, actix, tokio";
        assert_eq!(chosen(&["floor"], Some("may")), Err(format!("floor: {five}")));
        assert_eq!(chosen(&["--health"], Some("nope")), Err(format!("BACKEND=nope: {five}")));
        assert_eq!(chosen(&[], Some("tokio/http1")), Err(format!("BACKEND=tokio/http1: {five}")));
    }

    #[test]
    fn the_next_to_try_is_another() {
        for backend in Backend::SERVERS {
            let text = welcome(backend, "http://localhost:8080");
            assert!(text.starts_with(backend.name()), "{text}");
            assert!(!text.contains(&format!("BACKEND={} ", backend.name())), "{text}");
        }
    }
}
