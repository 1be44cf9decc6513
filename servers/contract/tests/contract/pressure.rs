//! Clients that break off, and a system that runs out.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use contract::{Backend, Client, Program, Server, eventually, on_every_backend, sample};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use socket2::SockRef;

on_every_backend!(
    a_reset_ends_one_connection_only,
    without_descriptors_the_open_are_served_and_the_others_wait,
);

fn a_reset_ends_one_connection_only(backend: Backend) {
    let server = Program::new(backend).with_admin().start();
    let mut steady = server.connect();
    let begun = [
        "",
        "GET /bytes/5 HTT",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome",
        "POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        "GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /stream/100?interval=5ms HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /delay/200ms HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for _ in 0..5 {
        for begun in begun {
            let mut client = server.connect();
            client.send(begun);
            // To close without lingering is to reset.
            SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).unwrap();
        }
        steady.get("/healthz").status(200);
    }
    eventually("one open connection", || {
        let open = open_connections(&mut server.connect_admin());
        (open == Some(1)).then_some(())
    });
    steady.get("/healthz").status(200);
}

fn without_descriptors_the_open_are_served_and_the_others_wait(backend: Backend) {
    let server = Program::new(backend).with_admin().start();
    let mut steady = server.connect();
    steady.get("/healthz").status(200);
    let begin = Instant::now();
    let limit = allow_no_more_files(&server);
    let mut waiting: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.send("GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    eventually("EMFILE in the metrics", || {
        let answer = steady.get("/metrics");
        let labels = [("reason", "EMFILE")];
        sample(answer.text(), "http_server_connections_refused_total", &labels)
            .filter(|count| *count > 3)
    });
    for _ in 0..20 {
        steady.get("/healthz").status(200);
    }
    server.is_calm();
    prlimit(Some(server.id()), Resource::Nofile, limit).unwrap();
    for client in &mut waiting {
        client.answer().status(200).field("content-length", "5");
    }
    let (lines, seconds) = (server.log().count("EMFILE") as u64, begin.elapsed().as_secs());
    assert!((1..=seconds + 1).contains(&lines), "{backend}: {lines} lines in {seconds} s");
}

/// Lowers the limit on open files to what is open now. Returns the limit as it was.
fn allow_no_more_files(server: &Server) -> Rlimit {
    let folder = format!("/proc/{}/fd", server.id().as_raw_nonzero());
    let open: BTreeSet<u64> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .collect();
    // The next file would have the lowest number that is free.
    let current = (0..1 << 20).find(|number| !open.contains(number));
    // The hard limit is the one that it has from us; to raise that again would take privileges.
    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(Some(server.id()), Resource::Nofile, Rlimit { current, maximum }).unwrap()
}

fn open_connections(admin: &mut Client) -> Option<u64> {
    sample(admin.get("/metrics").text(), "http_server_connections_open", &[])
}
