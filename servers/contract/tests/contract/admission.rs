//! More connections than there may be.

use contract::{Backend, Client, Program, Server, eventually, on_every_backend, sample};

on_every_backend!(
    one_too_many_is_told_so,
    one_too_many_is_told_so_without_asking,
    room_is_given_again,
    many_too_many_harm_nobody,
    the_limits_of_the_system_hold,
    the_admin_port_is_never_full,
    the_admin_port_turns_nobody_away,
);

fn one_too_many_is_told_so(backend: Backend) {
    let server = Server::start(backend, &["--max-connections", "2"]);
    let _held = fill(&server, 2);
    let mut client = server.connect();
    client.send("GET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n");
    is_turned_away(client);
}

fn one_too_many_is_told_so_without_asking(backend: Backend) {
    let server = Server::start(backend, &["--max-connections", "2"]);
    let _held = fill(&server, 2);
    is_turned_away(server.connect());
}

fn room_is_given_again(backend: Backend) {
    let server = Server::start(backend, &["--max-connections", "2"]);
    let mut held = fill(&server, 2);
    is_turned_away(server.connect());
    held.truncate(1);
    let mut next = eventually("room for one more", || {
        let mut client = server.connect();
        client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        (client.answer().head.status == 200).then_some(client)
    });
    next.get("/healthz").status(200);
    held[0].get("/healthz").status(200);
    is_turned_away(server.connect());
}

fn many_too_many_harm_nobody(backend: Backend) {
    let server = Program::new(backend).options(&["--max-connections", "4"]).with_admin().start();
    let mut held = fill(&server, 4);
    for _ in 0..10 {
        let refused: Vec<_> = (0..20).map(|_| server.connect()).collect();
        refused.into_iter().for_each(is_turned_away);
        are_served(&mut held);
    }
    let answer = server.connect_admin().get("/metrics");
    let refused = sample(
        answer.text(),
        "http_server_connections_refused_total",
        &[("reason", "max_connections")],
    );
    assert_eq!(refused, Some(200), "{backend}");
}

fn the_limits_of_the_system_hold(backend: Backend) {
    let server = Program::new(backend).open_files(128).start();
    let room = server.start_value("max_connections").parse().unwrap();
    assert!((8..128).contains(&room), "{backend}: {room} connections with 128 descriptors");
    let mut held = fill(&server, room);
    for _ in 0..10 {
        is_turned_away(server.connect());
    }
    are_served(&mut held);
}

fn the_admin_port_is_never_full(backend: Backend) {
    let server = Program::new(backend).options(&["--max-connections", "1"]).with_admin().start();
    let mut held = fill(&server, 1);
    for _ in 0..5 {
        let mut admin = server.connect_admin();
        admin.get("/healthz").status(200);
        admin.get("/metrics").status(200);
    }
    held[0].get("/healthz").status(200);
}

fn the_admin_port_turns_nobody_away(backend: Backend) {
    let server = Program::new(backend).with_admin().start();
    let silent: Vec<_> = (0..20).map(|_| server.connect_admin()).collect();
    let mut client = server.connect_admin();
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    drop(silent);
    client.answer().status(200);
}

/// So many connections that are each being served.
fn fill(server: &Server, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| server.connect()).collect();
    are_served(&mut clients);
    clients
}

fn are_served(clients: &mut [Client]) {
    for client in clients {
        client.get("/healthz").status(200);
    }
}

fn is_turned_away(mut client: Client) {
    let answer = client.last_answer();
    let wait = answer.status(503).value("retry-after");
    assert!(wait.parse::<u32>().is_ok(), "Retry-After: {wait}");
}
