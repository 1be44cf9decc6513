//! What came of vectors, one way after the other, and what is wrong with it.

use std::fmt::Display;

use crate::Backend;
use crate::delivery::Way;
use crate::vector::Vector;

/// What came of each vector the first time, and all that was not as due.
#[derive(Debug)]
pub struct Ledger<Seen> {
    backend: Backend,
    first: Vec<Option<Seen>>,
    failures: Vec<String>,
}

impl<Seen: Display> Ledger<Seen> {
    /// For so many vectors, with nothing in it.
    pub fn new(backend: Backend, count: usize) -> Self {
        let first = (0..count).map(|_| None).collect();
        Self { backend, first, failures: Vec::new() }
    }

    /// Notes what came of `vector`, which is the one at `place`, when it arrived in this way; what
    /// speaks against that in itself; and, if nothing does, whether it is like the first time.
    pub fn note<Of>(
        &mut self,
        (place, vector): (usize, &Vector<Of>),
        way: Way,
        seen: Seen,
        objection: Option<String>,
        is_like: impl FnOnce(&Seen, &Seen) -> bool,
    ) {
        let first = &mut self.first[place];
        let objection = objection.or_else(|| {
            let whole = first.as_ref().filter(|whole| !is_like(whole, &seen))?;
            Some(format!("whole, it was {whole}"))
        });
        if let Some(objection) = objection {
            let failure = format!("{}\n=> {way:?}: {objection}\n=> {seen}", vector.describe());
            self.failures.push(failure);
        }
        first.get_or_insert(seen);
    }

    /// Whether all is as due so far.
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty()
    }

    /// Fails the test unless all was as due.
    #[track_caller]
    pub fn close(self) {
        let (backend, count) = (self.backend, self.failures.len());
        assert!(count == 0, "{backend}: {count} not as due\n\n{}", self.failures.join("\n\n"));
    }
}
