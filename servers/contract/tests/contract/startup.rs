//! Options, good and bad; the socket that is handed over; `--health`.

use std::net::TcpListener;
use std::os::fd::AsFd;

use contract::{Backend, Program, Server, on_every_backend};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::process::Signal;

use crate::drain::{drain, in_flight};

on_every_backend!(
    the_line_at_start_says_what_bounds_it,
    the_line_at_start_says_where_the_admin_port_is,
    the_environment_is_read,
    help_and_version_are_given,
    an_option_that_is_none_is_named,
    a_value_that_is_none_is_named,
    a_limit_that_cannot_be_met_is_named,
    an_address_in_use_is_named,
    an_upstream_that_is_the_server_itself_is_named,
    health_is_asked_for,
    health_prefers_the_admin_port,
    a_socket_handed_over_is_listened_on,
    a_socket_handed_over_keeps_its_backlog,
);

fn the_line_at_start_says_what_bounds_it(backend: Backend) {
    let server = Server::start(backend, &["--max-connections", "77", "--workers", "3"]);
    assert_eq!(server.start_value("backend"), backend.name());
    assert_eq!(server.start_value("max_connections"), "77");
    assert_eq!(server.start_value("workers"), "3");
    assert!(server.start_value("bounded_by").contains("--max-connections"));
    assert!(server.start_value("version").starts_with(|first: char| first.is_ascii_digit()));
}

fn the_line_at_start_says_where_the_admin_port_is(backend: Backend) {
    let server = Program::new(backend).with_admin().start();
    assert_ne!(server.start_value("admin"), server.start_value("address"));
    server.connect_admin().get("/healthz").status(200);
    let none = Server::start(backend, &[]);
    assert!(!none.start_line().contains("admin="), "{}", none.start_line());
}

fn the_environment_is_read(backend: Backend) {
    let server = Program::new(backend)
        .env("FIVE_MAX_CONNECTIONS", "5")
        .env("FIVE_WORKERS", "2")
        .options(&["--workers", "3"])
        .start();
    assert_eq!(server.start_value("max_connections"), "5");
    assert_eq!(server.start_value("workers"), "3", "an option wins");
}

fn help_and_version_are_given(backend: Backend) {
    let help = Program::new(backend).options(&["--help"]).run();
    for option in ["--listen", "--mode", "--upstream", "--max-connections", "--drain-timeout"] {
        assert!(help.code(0).stdout.contains(option), "{help}");
    }
    let version = Program::new(backend).options(&["--version"]).run();
    assert!(version.code(0).stdout.contains(&format!("server-{} ", backend.name())), "{version}");
}

fn an_option_that_is_none_is_named(backend: Backend) {
    refuses(backend, &["--max-conections", "5"], &["--max-conections", "--max-connections"]);
    refuses(backend, &["stray"], &["stray"]);
}

fn a_value_that_is_none_is_named(backend: Backend) {
    refuses(backend, &["--listen", "nowhere"], &["nowhere", "--listen", "127.0.0.1:8080"]);
    refuses(backend, &["--listen", "127.0.0.1"], &["127.0.0.1", "--listen", "127.0.0.1:8080"]);
    refuses(backend, &["--mode", "mirror"], &["mirror", "service", "echo", "proxy"]);
    refuses(backend, &["--mode", "proxy"], &["--upstream", "http://"]);
    refuses(backend, &["--upstream", "https://a"], &["https://a", "http://"]);
    refuses(backend, &["--upstream", "a:80"], &["a:80", "http://"]);
    refuses(backend, &["--workers", "0"], &["--workers", "0"]);
    refuses(backend, &["--max-connections", "many"], &["--max-connections", "many"]);
    refuses(backend, &["--idle-timeout", "5"], &["--idle-timeout", "20ms"]);
    refuses(backend, &["--max-head-bytes", "16KB"], &["--max-head-bytes", "16KiB"]);
}

fn a_limit_that_cannot_be_met_is_named(backend: Backend) {
    let outcome = Program::new(backend)
        .open_files(256)
        .options(&["--listen", "127.0.0.1:0", "--max-connections", "5000"])
        .run();
    outcome.code(2).one_line(&["--max-connections", "5000", "256"]);
}

fn an_address_in_use_is_named(backend: Backend) {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    refuses(backend, &["--listen", &address], &[&address, "in use"]);
    let options = ["--listen", "127.0.0.1:0", "--admin", &address];
    refuses(backend, &options, &[&address, "in use"]);
}

fn an_upstream_that_is_the_server_itself_is_named(backend: Backend) {
    let address = nobody();
    let url = format!("http://{address}");
    refuses(backend, &["--listen", &address, "--upstream", &url], &[&address, "this server"]);
    // However it is spelt.
    let (_, port) = address.rsplit_once(':').expect("a port");
    let everywhere = format!("0.0.0.0:{port}");
    refuses(backend, &["--listen", &everywhere, "--upstream", &url], &[&everywhere, "this server"]);
}

fn health_is_asked_for(backend: Backend) {
    let mut server = Server::start(backend, &[]);
    let address = server.address().to_string();
    let ask = || Program::new(backend).options(&["--health", "--listen", &address]).run();
    ask().code(0);
    server.signal(Signal::TERM);
    server.exits(0);
    ask().code(1).one_line(&[&address]);
}

fn health_prefers_the_admin_port(backend: Backend) {
    // In echo mode the main port answers 200 to anything; only the admin port knows.
    let server = Server::start(backend, &["--mode", "echo"]);
    let (main, nobody) = (server.address().to_string(), nobody());
    let options = ["--health", "--listen", &main, "--admin", &nobody];
    Program::new(backend).options(&options).run().code(1).one_line(&[&nobody]);
    let options = ["--health", "--listen", &nobody, "--admin", &main];
    Program::new(backend).options(&options).run().code(0);
}

fn a_socket_handed_over_is_listened_on(backend: Backend) {
    let ours = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = Program::new(backend).listen_fd(ours.try_clone().unwrap()).start();
    assert_eq!(server.address(), ours.local_addr().unwrap(), "{backend}: LISTEN_FDS wins");
    server.connect().get("/healthz").status(200);
    assert!(fcntl_getfl(ours.as_fd()).unwrap().contains(OFlags::NONBLOCK), "{backend}");
    server.signal(Signal::TERM);
    server.exits(0);
    // Whoever shares the socket goes on with it as it is.
    assert!(fcntl_getfl(ours.as_fd()).unwrap().contains(OFlags::NONBLOCK), "{backend}");
}

fn a_socket_handed_over_keeps_its_backlog(backend: Backend) {
    let ours = TcpListener::bind("127.0.0.1:0").unwrap();
    let share = || Program::new(backend).listen_fd(ours.try_clone().unwrap()).with_admin();
    let mut first = share().start();
    let mut last = in_flight(&first);
    drain(&first, Signal::TERM);
    // Whoever comes now is left to those who share the socket.
    let mut early = first.connect();
    early.send("GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n");
    last.send("hello").last_answer().status(200);
    first.exits(0);
    let next = share().start();
    assert_eq!(early.answer().status(200).by_length().body.len(), 5);
    next.connect().get("/healthz").status(200);
}

/// An address where nobody listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The program must end with 2 and one line that holds each of `parts`.
fn refuses(backend: Backend, options: &[&str], parts: &[&str]) {
    Program::new(backend).options(options).run().code(2).one_line(parts);
}
