//! A user: connect, be answered once, wait for the start, ask until it is over.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::Shape;
use super::back_off::BackOff;
use super::generator::Shared;
use super::pacer::{Due, Pacer};
use super::recorder::Answer;
use crate::wire::{Connection, Exchange, Fault, Pace, Patience, Reply, Stop};

/// With so many requests in a row that got no answer, a user has lost the server. A single one may
/// be the connection's fault; the next is made on a new one.
const LOST: u32 = 2;
/// A connection on which nothing was asked for so long may end at any time, as a client has to expect
/// (RFC 9112, section 9.3.1): it is looked at before the next request, and if it ends before the first
/// byte of the answer the request is made once more, where that does no harm. In a closed loop none
/// is idle once all have started.
const IDLE: Duration = Duration::from_millis(100);
/// Users who are slow keep time apart from one another: each by this part of a beat more than the
/// one before, which spreads any number of them.
const GOLDEN: f64 = 0.618_034;

/// What a user has from one request to the next.
#[derive(Debug)]
pub(super) struct User {
    shared: Arc<Shared>,
    /// Among those of this generator, from 0.
    place: usize,
    /// Among all of the test.
    number: usize,
    /// How many requests it has made.
    turn: usize,
    patience: Patience,
    connection: Option<Connection>,
    /// When it had the last answer on that.
    answered: Instant,
    /// What it does once the ramp is over: nothing, if it has no connection by then.
    role: Role,
    back_off: BackOff,
    /// Requests in a row that got no answer.
    absences: u32,
}

/// What a user does once the ramp is over.
#[derive(Debug)]
enum Role {
    /// Takes no part.
    Absent,
    /// Asks as soon as it is answered.
    Eager,
    /// The same, at its own pace.
    Slow(Pace),
    /// Asks when a request is due.
    Paced(Arc<Pacer>),
    /// Asks nothing, and holds its connection.
    Held,
    /// Asks what blocks, and rests so long after it.
    Blocker(Duration),
}

/// What became of a request, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// When the answer was complete, or the fault was known.
    pub(super) ended: Instant,
    /// How long the answer took, or what went wrong.
    pub(super) outcome: Result<Duration, Fault>,
}

/// A right answer, and the moments before it.
#[derive(Clone, Copy, Debug)]
struct Timed {
    /// From when on its service time counts.
    asked: Instant,
    /// When the user set about it.
    began: Instant,
    answered: Instant,
    bytes: u64,
}

impl User {
    pub(super) fn new(shared: Arc<Shared>, place: usize) -> Self {
        let number = shared.number(place);
        Self {
            patience: Patience::new(shared.load.time_out, Arc::clone(&shared.over)),
            shared,
            place,
            number,
            turn: 0,
            connection: None,
            answered: Instant::now(),
            role: Role::Absent,
            back_off: BackOff::new(number),
            absences: 0,
        }
    }

    /// The ramp: tries, when it is its turn, until it has been answered or the ramp is over without
    /// it. It then holds its connection, if the server leaves it open. Returns whether it is one of
    /// those who start.
    pub(super) async fn connect_and_hold(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let wait = shared.ramp_wait(self.number);
        if !wait.is_zero() && self.patience.pause(wait).await.is_err() {
            return false;
        }
        let Ok(_permit) = shared.ramp.acquire().await else { return false };
        while !shared.gathered.load(Ordering::Relaxed) {
            let outcome = self.ask_once().await;
            if outcome.is_ok() {
                return self.has_connected();
            }
            if outcome.is_err_and(|stop| stop == Stop::Over) || self.pause().await.is_err() {
                return false;
            }
        }
        false
    }

    /// It has been answered; whether that was in time.
    fn has_connected(&mut self) -> bool {
        if self.shared.gathered.load(Ordering::Relaxed) {
            self.connection = None;
            return false;
        }
        if self.shared.recorder.connected() == self.shared.users {
            self.shared.all_connected.notify_one();
        }
        true
    }

    /// All who have connected start.
    pub(super) fn start(&mut self) {
        let part = (self.number as f64 * GOLDEN).fract();
        let load = &self.shared.load;
        if let Some(blocker) = load.script.blocker(self.number) {
            self.role = Role::Blocker(blocker.rest);
            return;
        }
        if let Some(pacer) = &self.shared.pacer {
            self.role = Role::Paced(Arc::clone(pacer));
            return;
        }
        self.role = match load.shape {
            Shape::SlowSend { bytes_per_second } => {
                Role::Slow(Pace::sending(bytes_per_second, part))
            }
            Shape::SlowRead { bytes_per_second } => {
                Role::Slow(Pace::reading(bytes_per_second, part))
            }
            Shape::Held { active } if self.number >= active => Role::Held,
            _ => Role::Eager,
        };
    }

    /// The next request, when it is its turn. An error only if the test is over.
    pub(super) async fn ask(&mut self) -> Result<Asked, Stop> {
        let due = match self.role {
            Role::Absent => return Err(self.rest().await),
            Role::Held => return Err(self.hold().await),
            Role::Paced(ref pacer) => {
                let place = self.place;
                let turn = self.patience.wait_long(|context| pacer.poll_turn(place, context));
                Some(turn.await?)
            }
            _ if self.shared.closed.load(Ordering::Relaxed) => return Err(self.rest().await),
            Role::Eager | Role::Slow(_) | Role::Blocker(_) => {
                self.shared.begun();
                None
            }
        };
        let outcome = self.ask_once().await;
        match &self.role {
            Role::Paced(pacer) => pacer.done(),
            _ => self.shared.done(),
        }
        let asked = match outcome {
            Err(Stop::Over) => return Err(Stop::Over),
            Ok(timed) => {
                let bystander = self.shared.load.script.is_bystander(self.number);
                let answer = timed.answer(due, bystander);
                self.shared.recorder.answered(answer);
                Asked { ended: timed.answered, outcome: Ok(answer.time) }
            }
            Err(Stop::Fault(fault)) => Asked { ended: Instant::now(), outcome: Err(fault) },
        };
        match (asked.outcome, &self.role) {
            (Err(_), _) => self.pause().await?,
            (Ok(_), Role::Blocker(rest)) => self.patience.pause(*rest).await?,
            (Ok(_), _) => {}
        }
        if self.shared.over.is_raised() { Err(Stop::Over) } else { Ok(asked) }
    }

    /// What it has asked last.
    pub(super) fn last_exchange(&self) -> &Exchange {
        self.shared.load.script.exchange(self.number, self.turn.wrapping_sub(1))
    }

    /// Asks nothing any more, and keeps the connection that it has: somebody may want to look at it.
    async fn rest(&mut self) -> Stop {
        let Err(stop) = self.patience.wait_long(|_| Poll::<Infallible>::Pending).await;
        stop
    }

    /// Asks nothing any more, and sees to it that there is a connection to the end.
    async fn hold(&mut self) -> Stop {
        loop {
            if let Some(connection) = &mut self.connection {
                match connection.hold(&mut self.patience).await {
                    Ok(()) => self.shared.recorder.reconnected(),
                    Err(Stop::Over) => return Stop::Over,
                    Err(Stop::Fault(fault)) => self.shared.recorder.failed(fault, Instant::now()),
                }
                self.connection = None;
            } else if self.ask_once().await.is_ok() {
                continue;
            }
            if self.shared.over.is_raised() || self.pause().await.is_err() {
                return Stop::Over;
            }
        }
    }

    /// The connection that it has, unless the server has ended that in the meantime.
    fn take_connection(&mut self, now: Instant) -> Option<Connection> {
        let connection = self.connection.take()?;
        if self.is_idle(now) && connection.has_ended() {
            self.shared.recorder.reconnected();
            return None;
        }
        Some(connection)
    }

    fn is_idle(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.answered) >= IDLE
    }

    /// One request, on a new connection if there is none. Counts what goes wrong.
    async fn ask_once(&mut self) -> Result<Timed, Stop> {
        let outcome = self.try_once().await;
        match outcome {
            Ok(_) => {
                self.back_off.reset();
                self.heard();
            }
            Err(Stop::Fault(fault)) => {
                self.shared.recorder.failed(fault, Instant::now());
                if fault.is_absence() { self.unheard() } else { self.heard() }
            }
            Err(Stop::Over) => {}
        }
        outcome
    }

    async fn try_once(&mut self) -> Result<Timed, Stop> {
        let began = Instant::now();
        let mut asked = began;
        self.patience.restart(began);
        // Taken out for the time of the exchange: if that fails it is not put back.
        let kept = self.take_connection(began);
        let was_idle = kept.is_some() && self.is_idle(began);
        let Self { shared, patience, role, .. } = self;
        let load = &shared.load;
        let keeps = load.shape.holds_connections();
        let exchange = load.script.exchange(self.number, self.turn);
        self.turn = self.turn.wrapping_add(1);
        let number = self.number.wrapping_add(if keeps { 0 } else { self.turn });
        let (address, origin) = (exchange.address, &load.origin);
        let mut connection = if let Some(connection) = kept {
            connection
        } else {
            let connection = Connection::open(address, origin, number, patience).await?;
            if keeps {
                asked = Instant::now();
                patience.restart(asked);
            }
            connection
        };
        let mut outcome = converse(&mut connection, exchange, role, patience).await;
        let is_reset = matches!(outcome, Err(Stop::Fault(Fault::Reset)));
        if was_idle && is_reset && connection.is_unanswered() && exchange.is_idempotent() {
            // The server ended it at that very moment.
            shared.recorder.reconnected();
            connection = Connection::open(address, origin, number, patience).await?;
            outcome = converse(&mut connection, exchange, role, patience).await;
        }
        let (reply, sent) = outcome?;
        let answered = Instant::now();
        let bytes = connection.take_bytes();
        if keeps && reply.persistent {
            (self.connection, self.answered) = (Some(connection), answered);
        } else if !keeps && !reply.persistent {
            // The server said that it would close, and who closes first keeps the port for a
            // minute: that is its part.
            connection.end(patience).await?;
        }
        match reply.fault {
            None => Ok(Timed { asked: sent.unwrap_or(asked), began, answered, bytes }),
            Some(fault) => Err(Stop::Fault(fault)),
        }
    }

    /// The server said something, right or wrong.
    fn heard(&mut self) {
        if self.absences >= LOST {
            self.shared.recorder.found();
        }
        self.absences = 0;
    }

    /// There was no answer.
    fn unheard(&mut self) {
        self.absences = self.absences.saturating_add(1);
        if self.absences == LOST {
            self.shared.recorder.lost();
        }
    }

    /// After a failure, whether the connection survived it or not.
    async fn pause(&mut self) -> Result<(), Stop> {
        self.patience.pause(self.back_off.next()).await
    }
}

/// Asks at the user's own pace; the answer, and for a slow user the moment from which on it counts.
async fn converse(
    connection: &mut Connection,
    exchange: &Exchange,
    role: &mut Role,
    patience: &mut Patience,
) -> Result<(Reply, Option<Instant>), Stop> {
    if let Role::Slow(pace) = role {
        let (reply, sent) = connection.exchange_slowly(exchange, pace, patience).await?;
        return Ok((reply, Some(sent)));
    }
    Ok((connection.exchange(exchange, patience).await?, None))
}

impl Timed {
    /// Timed from when it was due, if it was due at a certain time.
    fn answer(self, due: Option<Due>, bystander: bool) -> Answer {
        let Self { asked, began, answered, bytes } = self;
        match due {
            Some(due) => Answer {
                ended: answered,
                due: Some(due.at),
                time: answered.saturating_duration_since(due.at),
                bytes,
                lateness: Some(began.saturating_duration_since(due.possible)),
                bystander,
            },
            None => Answer {
                ended: answered,
                due: None,
                time: answered.saturating_duration_since(asked),
                bytes,
                lateness: None,
                bystander,
            },
        }
    }
}
