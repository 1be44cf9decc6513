//! SIGTERM to a proxy under load: whoever asked in time has the upstream's answer.

use std::time::Instant;

use contract::{Backend, Load, Program, Server};
use rustix::process::Signal;

use crate::on_every_backend;

on_every_backend!(a_drain_under_load_loses_nothing);

fn a_drain_under_load_loses_nothing(backend: Backend) {
    let upstream = Server::start(Backend::Threads, &[]);
    let url = format!("http://{}", upstream.address());
    // Fewer connections than clients, so that some wait.
    let options = ["--mode", "proxy", "--upstream", &url, "--upstream-connections", "6"];
    let mut server =
        Program::new(backend).options(&options).options(&["--upstream-wait", "60s"]).start();
    let load = Load::start(server.address(), 4);
    load.answers(1000);
    let signalled = Instant::now();
    server.signal(Signal::TERM);
    let lost = load.lost(signalled);
    assert!(lost.is_empty(), "{backend}: {} lost\n{}", lost.len(), lost.join("\n"));
    server.exits(0);
}
