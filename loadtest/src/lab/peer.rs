//! Servers that are not ours: what their commands may hold, and those that are ready-made.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, getrlimit};
use tempfile::TempDir;

use super::contender::Peer;

/// What is filled into a command and its templates.
pub(crate) const PLACES: [&str; 6] =
    ["{port}", "{upstream}", "{dir}", "{connections}", "{cores}", "{open_files}"];

/// The ready-made peers: name, command, template's name and text, what they answer.
const READY_MADE: [(&str, &str, &str, &str, &[&str]); 1] = [(
    "nginx",
    "nginx -p {dir} -e stderr -c {dir}/nginx.conf",
    "nginx.conf",
    include_str!("../../peers/nginx.conf"),
    &["echo", "proxy", "proxy-slow"],
)];

/// Where an administrator's programs are, which is not in everybody's PATH.
const MORE_PATHS: &str = "/usr/local/sbin:/usr/sbin:/sbin";
/// What is forwarded to where nothing is: nobody listens on the discard port.
const NO_UPSTREAM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
/// How long an answer may take that is asked for only to see whether there is one.
const ASKING: Duration = Duration::from_secs(1);

/// The ready-made peer of that name.
pub(crate) fn ready_made(name: &str) -> Result<Peer, String> {
    let found = READY_MADE.iter().find(|(known, ..)| *known == name);
    let Some((name, command, _, _, scenarios)) = found else {
        let names = READY_MADE.map(|(name, ..)| name).join(", ");
        return Err(format!(
            "{name:?} has no command; ready-made is only {names}; write name=command, such as \
             'mine=serve --port {{port}}'"
        ));
    };
    Ok(Peer {
        name: (*name).to_owned(),
        command: (*command).to_owned(),
        templates: Vec::new(),
        scenarios: scenarios.iter().map(|&name| name.to_owned()).collect(),
    })
}

/// Whether the command can be run at all: its quotes close, its places are known, and it or a
/// template has one for the port.
pub(crate) fn check(peer: &Peer) -> Result<(), String> {
    let words = words(&peer.command)?;
    for word in &words {
        if let Some(place) = places(word).find(|place| !PLACES.contains(place)) {
            let known = PLACES.join(", ");
            return Err(format!("{place} in {:?} is not known; known are {known}", peer.command));
        }
    }
    let mut has_port = peer.command.contains("{port}");
    for template in &peer.templates {
        let text = fs::read_to_string(template)
            .map_err(|error| format!("the template {}: {error}", template.display()))?;
        has_port |= text.contains("{port}");
    }
    let is_ready_made = READY_MADE.iter().any(|(_, command, ..)| *command == peer.command);
    if has_port || is_ready_made {
        return Ok(());
    }
    Err(format!("{:?} has no {{port}}: each cell's server listens on a fresh one", peer.command))
}

/// A peer about to be started: its command, and the folder that goes when it does.
pub(crate) struct Prepared {
    pub(crate) command: Command,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
}

/// Chooses a port, fills in the places, and leaves the templates in a fresh folder.
pub(crate) fn prepare(
    peer: &Peer,
    upstream: Option<SocketAddr>,
    connections: usize,
    cores: usize,
) -> anyhow::Result<Prepared> {
    let folder = tempfile::tempdir().context("can't make a folder")?;
    let address = free_address()?;
    let open_files = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20);
    let values = [
        address.port().to_string(),
        upstream.unwrap_or(NO_UPSTREAM).to_string(),
        folder.path().display().to_string(),
        connections.to_string(),
        cores.to_string(),
        open_files.to_string(),
    ];
    let fill = |text: &str| {
        let pairs = PLACES.iter().zip(&values);
        pairs.fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
    };
    for (name, text) in templates(peer)? {
        let path = folder.path().join(&name);
        fs::write(&path, fill(&text)).with_context(|| format!("can't write {}", path.display()))?;
    }
    let words = words(&peer.command).map_err(anyhow::Error::msg)?;
    let (program, arguments) = words.split_first().context("the command is empty")?;
    let mut command = Command::new(fill(program));
    command.args(arguments.iter().map(|argument| fill(argument)));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:{MORE_PATHS}"));
    Ok(Prepared { command, address, folder })
}

/// Whether a server answers there, whatever it says.
pub(crate) fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, ASKING)?;
        stream.set_read_timeout(Some(ASKING))?;
        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut start = [0; 5];
        stream.read_exact(&mut start)?;
        Ok(&start == b"HTTP/")
    };
    ask().unwrap_or(false)
}

/// A port that nobody had a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("can't have a port")?;
    Ok(listener.local_addr()?)
}

fn templates(peer: &Peer) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let ready_made = READY_MADE.iter().filter(|(_, command, ..)| *command == peer.command);
    let mut templates: Vec<(PathBuf, String)> =
        ready_made.map(|(_, _, name, text, _)| (PathBuf::from(name), (*text).to_owned())).collect();
    for path in &peer.templates {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let name = path.file_name().map_or_else(|| path.clone(), PathBuf::from);
        templates.push((name, text));
    }
    Ok(templates)
}

fn words(command: &str) -> Result<Vec<String>, String> {
    let words = shlex::split(command);
    words.ok_or_else(|| format!("{command:?} has a quote that does not close"))
}

/// Everything in braces that is one word of small letters.
fn places(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('{').filter_map(|(start, _)| {
        let end = start + text[start..].find('}')?;
        let name = &text[start + 1..end];
        let is_word = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        (!name.is_empty() && name.chars().all(is_word)).then_some(&text[start..=end])
    })
}

/// The folder of an experiment's file is where its templates are.
pub(crate) fn relative_to(folder: &Path, templates: &mut [PathBuf]) {
    for template in templates {
        *template = folder.join(&template);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(command: &str) -> Peer {
        Peer { name: "x".to_owned(), command: command.to_owned(), ..Peer::default() }
    }

    #[test]
    fn a_command_that_can_not_be_run_is_refused_with_the_reason() {
        let refused = |command| check(&peer(command)).expect_err("no use");
        assert!(refused("serve 'port {port}").contains("quote"));
        assert!(refused("serve").contains("{port}"));
        let unknown = refused("serve {port} {prot}");
        assert!(unknown.contains("{prot}") && unknown.contains("{upstream}"), "{unknown}");
        assert_eq!(check(&peer("awk '{ print }' {port}")), Ok(()), "braces of its own");
    }

    #[test]
    fn places_are_filled_in_after_the_words_are_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let template = folder.path().join("its.conf");
        fs::write(&template, "listen {port}; { forward {upstream} }").expect("a template");
        let peer = Peer { templates: vec![template], ..peer("serve 'a b' -c {dir}/its.conf") };
        let upstream = SocketAddr::from(([127, 0, 0, 1], 4321));
        let prepared = prepare(&peer, Some(upstream), 64, 1).expect("prepared");
        let arguments: Vec<_> = prepared.command.get_args().collect();
        let config = prepared.folder.path().join("its.conf");
        assert_eq!(arguments, ["a b", "-c", config.to_str().expect("UTF-8")]);
        let port = prepared.address.port();
        let text = fs::read_to_string(config).expect("its.conf");
        assert_eq!(text, format!("listen {port}; {{ forward 127.0.0.1:4321 }}"));
    }

    #[test]
    fn readiness_is_an_answer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n").expect("sent");
        });
        assert!(answers(address));
        server.join().expect("it ends");
        assert!(!answers(address), "nobody is there any more");
    }
}
