//! What a request holds of a peer: its address, and the buffers that it has lent.

use std::{
    mem::swap,
    pin::Pin,
    rc::Rc,
    task::{self, Poll},
};

use actix::Addr;
use session::{Buffers, Interest, Pool, Relay};
use tokio::sync::oneshot;

use crate::{
    messages::{Exchange, Exchanged, Outcome},
    peer::Peer,
    socket::Socket,
};

/// The one address of a peer, which ends when this is dropped.
pub(crate) struct Link {
    address: Addr<Peer>,
    socket: Rc<Socket>,
    /// What has been asked for and not been answered.
    asked: Interest,
    /// Where the answers come: to messages that have something to write, and to the others.
    answers: [Option<oneshot::Receiver<Exchanged>>; 2],
}

const WRITE: Interest = Interest { read: false, write: true };
const READ: Interest = Interest { read: true, write: false };
const BOTH: Interest = Interest { read: true, write: true };

impl Link {
    pub(crate) fn new(address: Addr<Peer>, socket: Rc<Socket>) -> Self {
        Self { address, socket, asked: Interest::default(), answers: [None, None] }
    }

    /// Whether this leads to the connection of that socket.
    pub(crate) fn is_to(&self, socket: &Rc<Socket>) -> bool {
        Rc::ptr_eq(&self.socket, socket)
    }

    /// Whether nothing was asked for that is not answered, and nothing has come unasked: then
    /// another request can have it.
    pub(crate) fn is_silent(&self) -> bool {
        self.asked == Interest::default() && self.socket.is_silent()
    }

    /// Asks for what is wanted of the upstream, as far as that has not been done before.
    pub(crate) fn ask(&mut self, wants: Relay, own: &mut Option<Box<Buffers>>, pool: &Pool) {
        let write = wants.upstream.write && !self.asked.write;
        let read = wants.upstream.read && !self.asked.read;
        // An output that is full, or a client who has not sent all, has more to follow.
        let is_last = !wants.downstream.read
            && own.as_ref().is_some_and(|buffers| !buffers.upstream_output.is_full());
        if write && read && is_last {
            return self.send(BOTH, lend(BOTH, own, pool));
        }
        if write {
            self.send(WRITE, lend(WRITE, own, pool));
        }
        if read {
            self.send(READ, lend(READ, own, pool));
        }
    }

    /// The next answer; the buffers it brings are put among one's own.
    pub(crate) fn poll_answer(
        &mut self,
        task: &mut task::Context<'_>,
        own: &mut Option<Box<Buffers>>,
        pool: &Pool,
    ) -> Poll<(usize, Outcome)> {
        for answer in &mut self.answers {
            let Some(coming) = answer else { continue };
            let Poll::Ready(exchanged) = Pin::new(coming).poll(task) else { continue };
            *answer = None;
            // Without an answer the peer has died, and the buffers with it.
            let Ok(Exchanged { wants, buffers, sent, outcome }) = exchanged else {
                return Poll::Ready((0, Outcome::Failed));
            };
            self.asked.read &= !wants.read;
            self.asked.write &= !wants.write;
            if let Some(unsent) = buffers.and_then(|lent| take_back(wants, lent, own, pool)) {
                self.send(WRITE, Some(unsent));
            }
            return Poll::Ready((sent, outcome));
        }
        Poll::Pending
    }

    fn send(&mut self, wants: Interest, buffers: Option<Box<Buffers>>) {
        let (answer, coming) = oneshot::channel();
        self.asked.read |= wants.read;
        self.asked.write |= wants.write;
        self.answers[usize::from(!wants.write)] = Some(coming);
        // Refused only by a peer that has died, and who waits for its answer sees that.
        let _ = self.address.try_send(Exchange { wants, buffers, sent: 0, answer });
    }
}

/// Takes out of one's buffers what the peer needs for that: all, if nothing else is in them.
fn lend(wants: Interest, own: &mut Option<Box<Buffers>>, pool: &Pool) -> Option<Box<Buffers>> {
    let buffers = own.as_mut()?;
    let (has_input, has_output) =
        (!buffers.upstream_input.is_empty(), !buffers.upstream_output.is_empty());
    if !wants.write && !has_input {
        return None;
    }
    let is_all = buffers.input.is_empty()
        && buffers.output.is_empty()
        && (wants.read || !has_input)
        && (wants.write || !has_output);
    if is_all {
        return own.take();
    }
    let mut lent = pool.borrow();
    if wants.read {
        swap(&mut lent.upstream_input, &mut buffers.upstream_input);
    }
    if wants.write {
        swap(&mut lent.upstream_output, &mut buffers.upstream_output);
    }
    Some(lent)
}

/// Puts what was lent among one's own again. What must go before something of one's own is left over.
fn take_back(
    wants: Interest,
    mut lent: Box<Buffers>,
    own: &mut Option<Box<Buffers>>,
    pool: &Pool,
) -> Option<Box<Buffers>> {
    let Some(buffers) = own else {
        *own = Some(lent);
        return None;
    };
    if wants.read {
        swap(&mut lent.upstream_input, &mut buffers.upstream_input);
    }
    if wants.write && buffers.upstream_output.is_empty() {
        swap(&mut lent.upstream_output, &mut buffers.upstream_output);
    }
    if lent.upstream_output.is_empty() {
        pool.give_back(lent);
        return None;
    }
    Some(lent)
}
