//! The strictest of origins: it takes nothing that is not well-formed, keeps all that it was asked, and
//! names the request in each answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use contract::Server;
use contract::origin::SIGNATURE;
use contract::strict::{self, Bounds, Reading, Request};
use socket2::{Domain, Socket, Type};

/// How many connections may wait to be accepted: more than there are at once.
const BACKLOG: i32 = 1024;

/// When an origin answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Once it has the whole request.
    Patient,
    /// As soon as it has the head. The content it reads all the same.
    Hasty,
}

/// The number of a connection, and of a request on it, both from 1: no two requests have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tag(pub(crate) usize, pub(crate) usize);

/// A request that the origin has answered.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) tag: Tag,
    /// For whom it was forwarded.
    pub(crate) client: Ipv4Addr,
    pub(crate) request: Request,
    /// Whether it came to its end.
    pub(crate) whole: bool,
}

/// The beginning of a request, after which the connection ended.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) client: Ipv4Addr,
    pub(crate) request: Request,
}

/// All that an origin was sent.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// In the order in which they were answered.
    pub(crate) seen: Vec<Seen>,
    pub(crate) cut: Vec<Cut>,
    /// What no gateway may send, with its bytes.
    pub(crate) wrong: Vec<String>,
}

/// A running origin.
#[derive(Debug)]
pub(crate) struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    manner: Manner,
    ends: AtomicBool,
    records: Mutex<Records>,
}

impl Recorder {
    /// Listens on a port of the kernel's choice.
    pub(crate) fn start(manner: Manner) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        socket.listen(BACKLOG).unwrap();
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let ends = AtomicBool::new(false);
        let shared = Arc::new(Shared { manner, ends, records: Mutex::default() });
        let of_thread = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &of_thread));
        Self { address, shared, acceptor }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// All that came, once whoever was in front has ended: then there is nothing more to come.
    pub(crate) fn finish(self, in_front: Option<Server>) -> Records {
        drop(in_front);
        self.shared.ends.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.acceptor.join().unwrap();
        std::mem::take(&mut *self.shared.records())
    }
}

impl Shared {
    fn records(&self) -> std::sync::MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    /// What was asked for this client, in its order.
    pub(crate) fn of(&self, client: Ipv4Addr) -> impl Iterator<Item = &Seen> {
        self.seen.iter().filter(move |seen| seen.client == client)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    for number in 1.. {
        let (stream, _) = listener.accept().unwrap();
        if shared.ends.load(Ordering::SeqCst) {
            break;
        }
        let shared = Arc::clone(shared);
        connections.push(thread::spawn(move || Conversation::new(number, &shared).hold(stream)));
    }
    for connection in connections {
        connection.join().unwrap();
    }
}

/// One connection, and the request on it that has not ended yet.
struct Conversation<'a> {
    connection: usize,
    shared: &'a Shared,
    /// Whole requests so far.
    count: usize,
    invited: bool,
    /// Where the current request stands in the records, if it is answered.
    answered: Option<usize>,
    bytes: Vec<u8>,
}

impl<'a> Conversation<'a> {
    fn new(connection: usize, shared: &'a Shared) -> Self {
        Self { connection, shared, count: 0, invited: false, answered: None, bytes: Vec::new() }
    }

    fn hold(mut self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            self.bytes.extend(&buffer[..count]);
            match self.take_all() {
                // Whoever is in front may have lost interest.
                Ok(answers) => drop(stream.write_all(&answers)),
                Err(why) => return self.complain(&why),
            }
        }
        self.end();
    }

    /// Takes all that has come; what is to be said to it.
    fn take_all(&mut self) -> Result<Vec<u8>, String> {
        let mut answers = Vec::new();
        while !self.bytes.is_empty() {
            match strict::read(&self.bytes, &Bounds::OF_ORIGINS) {
                Reading::Whole(request, length) => {
                    self.answer(&request, true, &mut answers)?;
                    self.bytes.drain(..length);
                    self.count += 1;
                    (self.answered, self.invited) = (None, false);
                }
                Reading::Begun(None) => break,
                Reading::Begun(Some(request)) if self.shared.manner == Manner::Hasty => {
                    self.answer(&request, false, &mut answers)?;
                    break;
                }
                Reading::Begun(Some(request)) => {
                    if request.waits() && !std::mem::replace(&mut self.invited, true) {
                        answers.extend(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    break;
                }
                Reading::Wrong(fault, _) => return Err(fault.why.to_owned()),
            }
        }
        Ok(answers)
    }

    /// Records a request, and answers it unless that is done.
    fn answer(&mut self, request: &Request, whole: bool, out: &mut Vec<u8>) -> Result<(), String> {
        let client = inspect(request)?;
        let tag = Tag(self.connection, self.count + 1);
        let seen = Seen { tag, client, request: request.clone(), whole };
        let mut records = self.shared.records();
        if let Some(place) = self.answered {
            records.seen[place] = seen;
        } else {
            self.answered = Some(records.seen.len());
            records.seen.push(seen);
            out.extend(tag.answer(request).into_bytes());
        }
        Ok(())
    }

    /// Nothing more comes. What has begun and was answered is in the records already.
    fn end(&mut self) {
        if self.bytes.is_empty() || self.answered.is_some() {
            return;
        }
        match strict::read(&self.bytes, &Bounds::OF_ORIGINS) {
            Reading::Begun(Some(request)) => match inspect(&request) {
                Ok(client) => {
                    self.shared.records().cut.push(Cut { client, request: *request });
                }
                Err(why) => self.complain(&why),
            },
            _ => self.complain("half a head"),
        }
    }

    fn complain(&self, why: &str) {
        let Self { connection, count, bytes, .. } = self;
        let (number, bytes) = (count + 1, bytes.escape_ascii());
        let complaint = format!("{connection}.{number} at the origin: {why}: \"{bytes}\"");
        self.shared.records().wrong.push(complaint);
    }
}

impl Tag {
    /// Reads it as the answer's `X-Tag` says it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (connection, number) = text.split_once('.')?;
        Some(Self(connection.parse().ok()?, number.parse().ok()?))
    }

    fn answer(self, request: &Request) -> String {
        let Self(connection, number) = self;
        let name = format!("{connection}.{number} {} {}", request.method, request.target);
        let content = if request.method == "HEAD" { "" } else { &name };
        format!(
            "HTTP/1.1 200 OK\r\n{SIGNATURE}X-Tag: {connection}.{number}\r\n\
             Content-Length: {}\r\n\r\n{content}",
            name.len()
        )
    }
}

/// Fields that end with one connection (RFC 9110, 7.6.1), of which a gateway here has nothing to say.
const OF_ONE_CONNECTION: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"];

/// Whether this is what a gateway sends, and for whom.
fn inspect(request: &Request) -> Result<Ipv4Addr, String> {
    if let Some(oddity) = request.oddities.first() {
        return Err((*oddity).to_owned());
    }
    if let Some(name) = OF_ONE_CONNECTION.iter().find(|name| !request.values(name).is_empty()) {
        return Err(format!("there is a `{name}`"));
    }
    let via = request.list("via");
    if !via.last().is_some_and(|last| last.ends_with(b" five-ways")) {
        return Err("it does not say through whom it came".to_owned());
    }
    let [value] = request.values("x-forwarded-for")[..] else {
        return Err("it does not say for whom, or says it twice".to_owned());
    };
    let text = String::from_utf8_lossy(value);
    let client = text.parse().map_err(|_| "it is forwarded for no address".to_owned())?;
    match request.values("forwarded")[..] {
        [value] if value.starts_with(format!("for={client};").as_bytes()) => Ok(client),
        _ => Err("Forwarded says something else than X-Forwarded-For".to_owned()),
    }
}
