//! `/metrics`: what Prometheus would make of it.

use std::collections::{BTreeMap, BTreeSet};

use contract::{Backend, Program, Server, eventually, on_every_backend, sample};

on_every_backend!(
    metrics_are_prometheus_text,
    requests_are_counted_by_route_and_status,
    what_never_became_a_request_has_no_route,
    durations_are_counted_in_buckets,
    connections_and_bytes_are_counted,
    connections_are_told_apart_by_whether_they_have_a_request,
    the_build_is_named,
);

fn metrics_are_prometheus_text(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.get("/nowhere").status(404);
    let answer = client.get("/metrics");
    let media_type = answer.status(200).value("content-type");
    assert!(media_type.starts_with("text/plain; version=0.0.4"), "{media_type}");
    let mut types = BTreeMap::new();
    let mut samples = BTreeSet::new();
    for line in answer.text().lines() {
        if let Some(comment) = line.strip_prefix("# TYPE ") {
            let (name, kind) = comment.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(types.insert(name.to_owned(), kind.to_owned()), None, "twice: {line}");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(samples.insert(series), "twice: {line}");
            let name = series.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| {
                    name.strip_suffix(suffix).filter(|name| types.contains_key(*name))
                })
                .unwrap_or(name);
            assert!(types.contains_key(family), "no TYPE before: {line}");
        }
    }
    assert!(samples.len() > 20, "{}", answer.text());
}

fn requests_are_counted_by_route_and_status(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    for _ in 0..3 {
        client.post("/echo", "hello").status(200);
        client.get("/status/418").status(418);
        client.get("/nowhere").status(404);
    }
    let name = "http_server_requests_total";
    for labels in [["/echo", "200"], ["/status/{code}", "418"], ["other", "404"]] {
        let labels = [("route", labels[0]), ("status", labels[1])];
        eventually("three requests in the metrics", || {
            let answer = client.get("/metrics");
            (sample(answer.text(), name, &labels) == Some(3)).then_some(())
        });
    }
}

fn what_never_became_a_request_has_no_route(backend: Backend) {
    let options = ["--header-timeout", "300ms"];
    let server = Program::new(backend).options(&options).with_admin().start();
    let mut client = server.connect();
    client.post("/echo", "hello").status(200);
    client.send("GET /echo HT");
    client.last_answer().status(408);
    let count = |route| {
        let answer = server.connect_admin().get("/metrics");
        let labels = [("route", route), ("status", "408")];
        sample(answer.text(), "http_server_requests_total", &labels)
    };
    eventually("a 408 in the metrics", || (count("other") == Some(1)).then_some(()));
    assert_eq!(count("/echo"), None, "{backend}");
}

fn durations_are_counted_in_buckets(backend: Backend) {
    let server = Server::start(backend, &[]);
    let mut client = server.connect();
    client.get("/delay/30ms").status(200);
    let name = "http_server_request_duration_seconds";
    let route = ("route", "/delay/{duration}");
    let text = eventually("a request in the histogram", || {
        let text = client.get("/metrics").text().to_owned();
        (sample(&text, &format!("{name}_count"), &[route]) == Some(1)).then_some(text)
    });
    let bucket = |le| sample(&text, &format!("{name}_bucket"), &[("le", le), route]);
    assert_eq!(bucket("0.00005"), Some(0), "buckets begin at 50 µs:\n{text}");
    assert_eq!(bucket("0.025"), Some(0), "it took 30 ms at least:\n{text}");
    assert_eq!(bucket("+Inf"), Some(1), "{text}");
}

fn connections_and_bytes_are_counted(backend: Backend) {
    let server = Program::new(backend).with_admin().start();
    let mut clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.post("/echo", [b'x'; 10_000]).status(200);
    }
    let mut admin = server.connect_admin();
    let mut read = |name: &str| sample(admin.get("/metrics").text(), name, &[]).unwrap_or(u64::MAX);
    assert_eq!(read("http_server_connections_open"), 5, "{backend}");
    assert_eq!(read("http_server_connections_accepted_total"), 5, "{backend}");
    for name in ["http_server_received_bytes_total", "http_server_sent_bytes_total"] {
        eventually(name, || (read(name) >= 50_000).then_some(()));
    }
    clients.truncate(2);
    eventually("two open connections", || {
        (read("http_server_connections_open") == 2).then_some(())
    });
    assert_eq!(read("http_server_connections_accepted_total"), 5, "{backend}");
}

fn connections_are_told_apart_by_whether_they_have_a_request(backend: Backend) {
    let server = Program::new(backend).with_admin().start();
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.get("/healthz").status(200);
    }
    server.reaches("http_server_connections_idle", 3);
    // Its head is there, and its body isn't.
    clients[0].send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
    server.reaches("http_server_connections_idle", 2);
    assert_eq!(server.metric("http_server_active_requests"), 1, "{backend}");
    clients[0].send("b");
    clients[0].answer().status(200);
    server.reaches("http_server_connections_idle", 3);
    assert_eq!(server.metric("http_server_active_requests"), 0, "{backend}");
}

fn the_build_is_named(backend: Backend) {
    let answer = Server::start(backend, &[]).connect().get("/metrics");
    let labels = format!("five_ways_build_info{{backend=\"{}\",version=\"", backend.name());
    assert!(answer.text().lines().any(|line| line.starts_with(&labels)), "{}", answer.text());
}
