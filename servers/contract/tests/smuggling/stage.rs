//! A proxy between clients, each of whom has an address of its own, and an origin that tells them
//! apart by that.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use contract::delivery::{Delivery, Way};
use contract::observation::PROBE;
use contract::strict::{Bounds, Conversation, Ending, read_all};
use contract::vector::Vector;
use contract::{Backend, Client, PATIENCE, Program, Server};
use socket2::{Domain, Socket, Type};

use crate::heard::{Heard, Told};
use crate::recorder::{Manner, Recorder, Records, Tag};

/// A server in proxy mode, and the origin behind it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) backend: Backend,
    recorder: Recorder,
    /// Where clients go.
    address: SocketAddr,
    server: Option<Server>,
}

/// A vector that was sent, and somebody else's request after it.
#[derive(Debug)]
pub(crate) struct Act {
    /// As it was sent.
    pub(crate) vector: Vector,
    /// What is to be read of it, strictly.
    pub(crate) read: Conversation,
    pub(crate) client: Ipv4Addr,
    pub(crate) heard: Heard,
    pub(crate) canary: Canary,
}

/// A request of somebody who has a connection to themselves, which no other is like.
#[derive(Debug)]
pub(crate) struct Canary {
    pub(crate) client: Ipv4Addr,
    target: String,
    heard: Heard,
}

/// How many may wait in vain before that is enough: each takes a while.
const HANG_AT_MOST: usize = 3;

/// What a client's address says of it, in its second part.
#[derive(Clone, Copy)]
enum Role {
    OfVector = 1,
    Canary = 2,
    Bystander = 3,
}

/// A canary that has not been answered.
struct Asked {
    connection: Client,
    client: Ipv4Addr,
    target: String,
}

impl Stage {
    /// A server of `backend` with `options`, in front of an origin.
    pub(crate) fn new(backend: Backend, manner: Manner, options: &[&str]) -> Self {
        let recorder = Recorder::start(manner);
        let url = format!("http://{}", recorder.address());
        let program = Program::new(backend).options(&["--mode", "proxy", "--upstream", &url]);
        // Nothing here is about time, and a loaded machine has little of it.
        let server = program
            .options(&["--header-timeout", "60s", "--body-timeout", "60s"])
            .options(&["--upstream-wait", "60s", "--upstream-connect-timeout", "60s"])
            .options(&["--upstream-timeout", "60s", "--upstream-idle-timeout", "60s"])
            .options(options)
            .start();
        Self { backend, recorder, address: server.address(), server: Some(server) }
    }

    /// A proxy of the test's own, which ends by itself.
    pub(crate) fn with_double(recorder: Recorder, address: SocketAddr) -> Self {
        Self { backend: Backend::Mio, recorder, address, server: None }
    }

    /// Has `vectors` sent, so many at the same time, and once those are answered, somebody else's
    /// request after each. Leaves the rest out when some were not answered to the end.
    pub(crate) fn perform(&self, vectors: &[Vector], way: Way, at_once: usize) -> Vec<Act> {
        let mut acts = Vec::<Act>::new();
        for group in vectors.chunks(at_once) {
            let hang = acts.iter().filter(|act| act.hangs()).count();
            if hang >= HANG_AT_MOST {
                break;
            }
            acts.extend(self.perform_group(group, way, acts.len()));
        }
        acts
    }

    /// The same, while others ask one after the other: their requests, too.
    pub(crate) fn perform_among_others(
        &self,
        vectors: &[Vector],
        way: Way,
        at_once: usize,
    ) -> (Vec<Act>, Vec<Canary>) {
        let ends = AtomicBool::new(false);
        let stand_by = || {
            let mut answered = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let asked = self.ask(Role::Bystander, answered.len());
                answered.push(asked.answer(Instant::now() + PATIENCE));
                // Lest this have the machine for itself.
                thread::sleep(Duration::from_millis(2));
            }
            answered
        };
        thread::scope(|scope| {
            let bystanders = scope.spawn(stand_by);
            let acts = self.perform(vectors, way, at_once);
            ends.store(true, Ordering::Relaxed);
            (acts, bystanders.join().unwrap())
        })
    }

    fn perform_group(&self, vectors: &[Vector], way: Way, first: usize) -> Vec<Act> {
        let sent: Vec<_> = vectors.iter().map(as_it_is_sent).collect();
        let addresses = (first..).map(|number| address_of(Role::OfVector, number));
        let mut deliveries = Vec::new();
        for ((vector, _), address) in sent.iter().zip(addresses.clone()) {
            deliveries.push(Delivery::new(self.connect(address), vector, way));
        }
        let clients = Delivery::all(deliveries);
        let deadline = Instant::now() + PATIENCE;
        let heard: Vec<_> = clients
            .into_iter()
            .zip(&sent)
            .map(|(client, (vector, _))| Heard::all(client, vector.methods, deadline))
            .collect();
        let asked: Vec<_> =
            (first..first + sent.len()).map(|number| self.ask(Role::Canary, number)).collect();
        let deadline = Instant::now() + PATIENCE;
        let canaries = asked.into_iter().map(|asked| asked.answer(deadline));
        let acts = sent.into_iter().zip(addresses).zip(heard).zip(canaries);
        let act = |((((vector, read), client), heard), canary)| Act {
            vector,
            read,
            client,
            heard,
            canary,
        };
        acts.map(act).collect()
    }

    fn ask(&self, role: Role, number: usize) -> Asked {
        let (client, target) = (address_of(role, number), format!("/{}/{number}", role as u8));
        let mut connection = self.connect(client);
        let end = "HTTP/1.1\r\nHost: canary\r\nConnection: close\r\n\r\n";
        // What comes of it is told by the answer.
        let _ = connection.try_send(format!("GET {target} {end}"));
        Asked { connection, client, target }
    }

    /// Ends it: what the origin was sent.
    pub(crate) fn finish(self) -> Records {
        self.recorder.finish(self.server)
    }

    /// Whom `Host` names upstream where a client's request names nobody.
    pub(crate) fn host(&self) -> String {
        self.recorder.address().to_string()
    }

    fn connect(&self, from: Ipv4Addr) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
        socket.connect(&self.address.into()).unwrap();
        let log = self.server.as_ref().map(|server| server.log().clone());
        Client::over(TcpStream::from(socket), self.backend, log)
    }
}

impl Act {
    /// Whether somebody waited in vain.
    fn hangs(&self) -> bool {
        self.heard.fault.is_some() || self.canary.heard.fault.is_some()
    }
}

impl Asked {
    fn answer(self, deadline: Instant) -> Canary {
        let Self { connection, client, target } = self;
        let heard = Heard::all(connection, &[], deadline);
        Canary { client, target, heard }
    }
}

impl Canary {
    /// As which request it was answered; what is wrong if that is none of its own.
    pub(crate) fn tag(&self) -> Result<Tag, String> {
        let Self { target, heard, .. } = self;
        let due = Some(format!("GET {target}"));
        match &heard.answers[..] {
            [Told { status: 200, tag: Some(tag), asked }] if *asked == due => Ok(*tag),
            _ => Err(format!("somebody else's request for {target} was answered by: {heard}")),
        }
    }
}

/// A vector and what is read of it, with the request that shows whether the connection goes on. Where
/// that would be content, the client says in its place that nothing more comes.
fn as_it_is_sent(vector: &Vector) -> (Vector, Conversation) {
    const PATIENT: Bounds = Bounds { content: u64::MAX, ..Bounds::OF_SERVERS };
    let mut vector = vector.clone();
    let with_probe = [&vector.bytes, PROBE.as_bytes()].concat();
    vector.half_closes |= matches!(read_all(&with_probe, &PATIENT).ending, Ending::Begun(_));
    let bytes = if vector.half_closes { &vector.bytes } else { &with_probe };
    let read = read_all(bytes, &Bounds::OF_SERVERS);
    (vector, read)
}

/// An address on the loopback that nobody else has who speaks to the same server.
fn address_of(role: Role, number: usize) -> Ipv4Addr {
    let [.., high, low] = (number + 1).to_be_bytes();
    Ipv4Addr::new(127, role as u8, high, low)
}
