//! Where a loop keeps its connections, and the tokens by which the kernel and the timers know them.
//!
//! A token is a place in a slab and a generation. Whatever is still on its way to a connection that
//! is over finds nobody, rather than the next connection in its place.

use mio::Token;
use slab::Slab;

/// The bits of a token that are the place: more places than there may be connections.
const PLACE_BITS: u32 = 20;

/// Values by their tokens.
pub(crate) struct Slots<T> {
    slab: Slab<(Token, T)>,
    /// The next value's.
    generation: usize,
}

impl<T> Slots<T> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { slab: Slab::new(), generation: 0 }
    }

    /// The token that the next value will have.
    pub(crate) fn next_token(&self) -> Token {
        Token(self.generation << PLACE_BITS | self.slab.vacant_key())
    }

    /// Keeps a value under [`next_token`](Self::next_token).
    pub(crate) fn insert(&mut self, value: T) {
        self.slab.insert((self.next_token(), value));
        self.generation = self.generation.wrapping_add(1);
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
        let mut slots = Slots::new();
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
        let mut slots = Slots::new();
        let tokens = ["a", "b", "c"].map(|value| {
            let token = slots.next_token();
            slots.insert(value);
            token
        });
        slots.remove(tokens[1]);
        let left: Vec<_> = slots.iter_mut().map(|(token, value)| (token, *value)).collect();
        assert_eq!(left, [(tokens[0], "a"), (tokens[2], "c")]);
    }
}
