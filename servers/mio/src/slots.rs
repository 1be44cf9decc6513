//! Where a loop keeps its connections, and the tokens by which the kernel and the timers know them.
//!
//! A token is a place in a slab, which of two slabs that is, and a generation. Whatever is still on its
//! way to a connection that is over finds nobody, rather than the next connection in its place.

use mio::Token;
use slab::Slab;

/// The bits of a token that are the place: more places than `--max-connections` takes.
const PLACE_BITS: u32 = 23;

/// The bit of a token that says which side of the loop it belongs to.
const UPSTREAM: usize = 1 << PLACE_BITS;

/// Which connections a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Those of clients.
    Downstream,
    /// Those to the upstream.
    Upstream,
}

impl Side {
    /// The side that `token` is for.
    pub(crate) fn of(token: Token) -> Self {
        if token.0 & UPSTREAM == 0 { Self::Downstream } else { Self::Upstream }
    }
}

/// Values by their tokens.
pub(crate) struct Slots<T> {
    slab: Slab<(Token, T)>,
    /// The next value's generation and side.
    prefix: usize,
}

impl<T> Slots<T> {
    /// None yet.
    pub(crate) fn new(side: Side) -> Self {
        let prefix = if side == Side::Upstream { UPSTREAM } else { 0 };
        Self { slab: Slab::new(), prefix }
    }

    /// The token that the next value will have.
    pub(crate) fn next_token(&self) -> Token {
        Token(self.prefix | self.slab.vacant_key())
    }

    /// Keeps a value under [`next_token`](Self::next_token).
    pub(crate) fn insert(&mut self, value: T) {
        self.slab.insert((self.next_token(), value));
        self.prefix = self.prefix.wrapping_add(UPSTREAM << 1);
    }

    /// The value of `token`, unless it was removed.
    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let (owner, value) = self.slab.get_mut(place(token))?;
        (*owner == token).then_some(value)
    }

    /// Drops the value of `token`, if it is there.
    pub(crate) fn remove(&mut self, token: Token) {
        if self.get_mut(token).is_some() {
            self.slab.remove(place(token));
        }
    }

    /// All of them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Token, &mut T)> {
        self.slab.iter_mut().map(|(_, (token, value))| (*token, value))
    }
}

fn place(token: Token) -> usize {
    token.0 & ((1 << PLACE_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_not_reach_the_next_value_in_its_place() {
        let mut slots = Slots::new(Side::Downstream);
        let old = slots.next_token();
        slots.insert("old");
        slots.remove(old);
        let new = slots.next_token();
        slots.insert("new");
        assert_eq!(place(old), place(new));
        assert_eq!(slots.get_mut(old), None);
        slots.remove(old);
        assert_eq!(slots.get_mut(new), Some(&mut "new"));
    }

    #[test]
    fn every_value_comes_with_its_token() {
        let mut slots = Slots::new(Side::Downstream);
        let tokens = ["a", "b", "c"].map(|value| {
            let token = slots.next_token();
            slots.insert(value);
            token
        });
        slots.remove(tokens[1]);
        let left: Vec<_> = slots.iter_mut().map(|(token, value)| (token, *value)).collect();
        assert_eq!(left, [(tokens[0], "a"), (tokens[2], "c")]);
    }

    #[test]
    fn a_token_of_one_side_does_not_reach_the_other() {
        let (mut clients, mut upstreams) =
            (Slots::new(Side::Downstream), Slots::new(Side::Upstream));
        for _ in 0..3 {
            let (client, upstream) = (clients.next_token(), upstreams.next_token());
            clients.insert(());
            upstreams.insert(());
            assert_eq!(place(client), place(upstream));
            assert_eq!(Side::of(client), Side::Downstream);
            assert_eq!(Side::of(upstream), Side::Upstream);
            assert_eq!((clients.get_mut(upstream), upstreams.get_mut(client)), (None, None));
        }
    }
}
