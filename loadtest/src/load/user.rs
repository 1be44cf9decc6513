//! A closed-loop user: connect, be answered once, wait for the start, ask until it is over.

use std::sync::Arc;
use std::time::Duration;

use goose::goose::{GooseUser, Transaction};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Shared;
use super::back_off::BackOff;
use crate::wire::{Connection, Patience, Stop};

/// How many requests make a transaction. `goose` looks for a stop between transactions only, but
/// what it does there costs as much as a request.
const REQUESTS_PER_TRANSACTION: usize = 100;
/// With so many requests in a row that got no answer, a user has lost the server. A single one may
/// be the connection's fault; the next is made on a new one.
const LOST: u32 = 2;

/// The two transactions of every user, in order: get ready, then ask.
pub(super) fn transactions(shared: &Arc<Shared>) -> [Transaction; 2] {
    let for_ready = Arc::clone(shared);
    let ready = Transaction::new(Arc::new(move |goose_user| {
        Box::pin(get_ready(goose_user, Arc::clone(&for_ready)))
    }));
    let ask = Transaction::new(Arc::new(|goose_user| Box::pin(ask(goose_user))));
    [ready.set_name("get ready").set_on_start(), ask.set_name("ask")]
}

async fn get_ready(
    goose_user: &mut GooseUser,
    shared: Arc<Shared>,
) -> goose::goose::TransactionResult {
    let mut user = User::new(Arc::clone(&shared), goose_user.weighted_users_index);
    user.connect_and_hold().await;
    shared.start.raised().await;
    // What a user keeps must be `Clone`, which a connection is not.
    goose_user.set_session_data(Arc::new(Mutex::new(user)));
    Ok(())
}

async fn ask(goose_user: &mut GooseUser) -> goose::goose::TransactionResult {
    let user = goose_user.get_session_data_unchecked::<Arc<Mutex<User>>>().clone();
    if user.lock().await.ask_many().await == Err(Stop::Over) {
        // Tells goose that this was the user's last transaction. It would otherwise call a user
        // that has nothing left to wait for again and again.
        goose_user.config.iterations = Some(1);
    }
    Ok(())
}

/// What a user has between two transactions.
#[derive(Debug)]
struct User {
    shared: Arc<Shared>,
    patience: Patience,
    connection: Option<Connection>,
    back_off: BackOff,
    /// Requests in a row that got no answer.
    absences: u32,
}

impl User {
    fn new(shared: Arc<Shared>, number: usize) -> Self {
        let patience = Patience::new(shared.load.time_out, Arc::clone(&shared.over));
        Self { shared, patience, connection: None, back_off: BackOff::new(number), absences: 0 }
    }

    /// The ramp: tries until it has been answered, or the start comes without it. It then holds its
    /// connection, if the server leaves it open.
    async fn connect_and_hold(&mut self) {
        let shared = Arc::clone(&self.shared);
        let Ok(_permit) = shared.ramp.acquire().await else { return };
        while !shared.start.is_raised() {
            let outcome = self.ask_once().await;
            if outcome.is_ok() {
                if shared.recorder.connected() == shared.load.connections {
                    shared.all_connected.notify_one();
                }
                return;
            }
            if outcome == Err(Stop::Over) || self.pause().await.is_err() {
                return;
            }
        }
    }

    /// As many requests as make a transaction. An error only if the test is over.
    async fn ask_many(&mut self) -> Result<(), Stop> {
        for _ in 0..REQUESTS_PER_TRANSACTION {
            match self.ask_once().await {
                Ok((service_time, bytes)) => {
                    self.shared.recorder.answered(service_time, bytes);
                }
                Err(Stop::Over) => return Err(Stop::Over),
                Err(Stop::Fault(_)) => self.pause().await?,
            }
            if self.shared.over.is_raised() {
                return Err(Stop::Over);
            }
        }
        Ok(())
    }

    /// One request, on a new connection if there is none. Counts what goes wrong; gives the
    /// service time and the bytes of a right answer.
    async fn ask_once(&mut self) -> Result<(Duration, u64), Stop> {
        let outcome = self.try_once().await;
        match outcome {
            Ok(_) => {
                self.back_off.reset();
                self.heard();
            }
            Err(Stop::Fault(fault)) => {
                self.shared.recorder.failed(fault);
                if fault.is_absence() { self.unheard() } else { self.heard() }
            }
            Err(Stop::Over) => {}
        }
        outcome
    }

    async fn try_once(&mut self) -> Result<(Duration, u64), Stop> {
        let exchange = &self.shared.load.exchange;
        // Taken out for the time of the exchange: if that fails it is not put back.
        let mut connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            self.patience.restart(Instant::now());
            Connection::open(exchange.address, &mut self.patience).await?
        };
        let sent = Instant::now();
        self.patience.restart(sent);
        let reply = connection.exchange(exchange, &mut self.patience).await?;
        let service_time = sent.elapsed();
        let bytes = connection.take_bytes();
        if reply.persistent {
            self.connection = Some(connection);
        }
        match reply.fault {
            None => Ok((service_time, bytes)),
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
