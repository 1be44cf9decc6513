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

#[cfg(test)]
mod tests {
    use http1::{Input, Limits, Output, server};

    use super::*;

    fn pool() -> Pool {
        Pool::new(Limits::default())
    }

    /// Adds the same few bytes each time.
    fn fill(output: &mut Output) {
        let mut input = Input::with_capacity(99);
        input.extend(
            b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        );
        let mut codec = server::Connection::new(Limits::default());
        codec.receive(&mut input, &mut <_>::default()).expect("a head");
        codec.send_continue(output);
    }

    fn is_lent_whole(wants: Interest, fill: impl Fn(&mut Buffers)) -> bool {
        let mut own = Some(pool().borrow());
        own.as_deref_mut().into_iter().for_each(fill);
        lend(wants, &mut own, &pool()).is_some() && own.is_none()
    }

    #[test]
    fn buffers_are_lent_whole_if_nothing_else_is_in_them() {
        assert!(is_lent_whole(WRITE, |buffers| fill(&mut buffers.upstream_output)));
        assert!(is_lent_whole(BOTH, |buffers| {
            fill(&mut buffers.upstream_output);
            buffers.upstream_input.extend(b"x");
        }));
        assert!(!is_lent_whole(WRITE, |buffers| {
            buffers.upstream_input.extend(b"x");
        }));
        assert!(!is_lent_whole(READ, |buffers| {
            buffers.upstream_input.extend(b"x");
            fill(&mut buffers.upstream_output);
        }));
        for other in [
            |buffers: &mut Buffers| fill(&mut buffers.output),
            |buffers: &mut Buffers| assert_eq!(buffers.input.extend(b"x"), 1),
        ] {
            assert!(!is_lent_whole(BOTH, other));
        }
    }

    #[test]
    fn only_what_has_come_is_lent_to_be_read_into() {
        let mut own = Some(pool().borrow());
        assert!(lend(READ, &mut own, &pool()).is_none() && own.is_some());
    }

    #[test]
    fn each_direction_is_lent_and_comes_back_by_itself() {
        let pool = pool();
        let mut own = Some(pool.borrow());
        if let Some(buffers) = &mut own {
            fill(&mut buffers.output);
            fill(&mut buffers.upstream_output);
            buffers.upstream_input.extend(b"half a head");
        }
        let write = lend(WRITE, &mut own, &pool).expect("an output");
        let read = lend(READ, &mut own, &pool).expect("an input");
        assert!(write.upstream_input.is_empty() && read.upstream_output.is_empty());
        assert!(own.as_ref().is_some_and(|own| own.upstream_output.is_empty()));
        assert!(take_back(READ, read, &mut own, &pool).is_none());
        assert!(take_back(WRITE, write, &mut own, &pool).is_none());
        let own = own.expect("they were never lent whole");
        assert_eq!(own.upstream_input.bytes(), b"half a head");
        assert!(!own.upstream_output.is_empty() && !own.output.is_empty());
    }

    #[test]
    fn what_was_lent_goes_before_what_came_after() {
        let pool = pool();
        let mut own = Some(pool.borrow());
        if let Some(buffers) = &mut own {
            fill(&mut buffers.output);
            fill(&mut buffers.upstream_output);
        }
        let lent = lend(WRITE, &mut own, &pool).expect("an output");
        let written_in_part = lent.upstream_output.len();
        own.as_deref_mut().into_iter().for_each(|own| {
            fill(&mut own.upstream_output);
            fill(&mut own.upstream_output);
        });
        let first = take_back(WRITE, lent, &mut own, &pool).expect("it is not all written");
        assert_eq!(first.upstream_output.len(), written_in_part);
        assert_eq!(own.map(|own| own.upstream_output.len()), Some(2 * written_in_part));
    }
}
