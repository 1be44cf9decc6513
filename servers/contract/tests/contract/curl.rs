//! curl, a client that nobody here has written.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use contract::{Backend, Server, on_every_backend, skipped};

on_every_backend!(
    curl_gets,
    curl_posts,
    curl_posts_chunks,
    curl_expects_to_continue,
    curl_speaks_1_0,
    curl_asks_for_the_head,
    curl_reuses_its_connection,
    curl_uploads_much,
);

fn curl_gets(backend: Backend) {
    let server = Server::start(backend, &[]);
    let Some(said) = curl(&server, &["--include"], &["/status/418"], "") else { return };
    assert!(said.output.starts_with("HTTP/1.1 418 "), "{said:?}");
    let Some(said) = curl(&server, &[], &["/bytes/100000"], "") else { return };
    assert_eq!(said.output.len(), 100_000, "{}", said.log);
}

fn curl_posts(backend: Backend) {
    let server = Server::start(backend, &[]);
    let Some(said) = curl(&server, &["--data", "a=b&c=d"], &["/echo"], "") else { return };
    assert_eq!(said.output, "a=b&c=d", "{}", said.log);
    assert!(said.log.contains("Content-Type: application/x-www-form-urlencoded"), "{}", said.log);
}

fn curl_posts_chunks(backend: Backend) {
    let server = Server::start(backend, &[]);
    let options = ["--header", "Transfer-Encoding: chunked", "--data-binary", "@-"];
    let Some(said) = curl(&server, &options, &["/echo"], "some\r\nlines\n") else { return };
    assert_eq!(said.output, "some\r\nlines\n", "{}", said.log);
    assert!(said.log.to_lowercase().contains("< transfer-encoding: chunked"), "{}", said.log);
}

fn curl_expects_to_continue(backend: Backend) {
    let server = Server::start(backend, &[]);
    // curl would send the body on its own after a while; it is to wait for the invitation.
    let options =
        ["--header", "Expect: 100-continue", "--expect100-timeout", "60", "--data", "hello"];
    let Some(said) = curl(&server, &options, &["/echo"], "") else { return };
    assert_eq!(said.output, "hello", "{}", said.log);
    assert!(said.log.contains("< HTTP/1.1 100 Continue"), "{}", said.log);
}

fn curl_speaks_1_0(backend: Backend) {
    let server = Server::start(backend, &[]);
    let targets = ["/bytes/5", "/stream/3?interval=1ms&size=5", "/anything"];
    for (target, length) in targets.into_iter().zip([Some(5), Some(15), None]) {
        let Some(said) = curl(&server, &["--http1.0"], &[target], "") else { return };
        assert!(length.is_none_or(|length| said.output.len() == length), "{said:?}");
        assert!(!said.log.to_lowercase().contains("transfer-encoding"), "{}", said.log);
    }
}

fn curl_asks_for_the_head(backend: Backend) {
    let server = Server::start(backend, &[]);
    let Some(said) = curl(&server, &["--head"], &["/bytes/12345"], "") else { return };
    assert!(said.output.to_lowercase().contains("content-length: 12345\r\n"), "{said:?}");
}

fn curl_reuses_its_connection(backend: Backend) {
    let server = Server::start(backend, &[]);
    let targets = ["/bytes/5", "/status/404", "/stream/2?interval=1ms", "/anything"];
    let Some(said) = curl(&server, &[], &targets, "") else { return };
    assert!(said.output.contains("\"requests\": 4"), "{said:?}");
}

fn curl_uploads_much(backend: Backend) {
    let server = Server::start(backend, &[]);
    let body = "0123456789abcdef".repeat(500_000);
    let Some(said) = curl(&server, &["--data-binary", "@-"], &["/echo"], &body) else { return };
    assert!(said.output == body, "{} bytes of {} came back", said.output.len(), body.len());
    let Some(said) = curl(&server, &["--data-binary", "@-"], &["/nowhere"], &body) else { return };
    assert!(said.log.contains("< HTTP/1.1 404"), "{}", said.log);
}

/// What curl printed, and what it said about it.
#[derive(Debug)]
struct Said {
    output: String,
    log: String,
}

/// Asks for each target in turn; every transfer must succeed. `None`, said aloud, where there is no
/// curl; where everything must be tested (`CI=true`), that is a failure.
fn curl(server: &Server, options: &[&str], targets: &[&str], stdin: &str) -> Option<Said> {
    let urls = targets.iter().map(|target| format!("http://{}{target}", server.address()));
    let spawned = Command::new("curl")
        .args(["--verbose", "--silent", "--show-error", "--max-time", "30", "--noproxy", "*"])
        .args(options)
        .args(urls)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skipped("there is no curl");
            return None;
        }
        Err(error) => panic!("starting curl: {error}"),
    };
    // curl reads all of it before it sends any, so this can't wait for its output.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { output: text(&done.stdout), log: text(&done.stderr) };
    assert!(done.status.success(), "{}: curl {options:?}: {}", server.backend(), said.log);
    Some(said)
}
