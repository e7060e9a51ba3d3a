use std::fmt::Debug;
use std::time::Instant;

use breakerbox_core::Wake;

use crate::change::Change;
use crate::play::{A_DAY, Agreed, NANOSECOND, Play};

impl Play {
    pub(crate) fn agree(&mut self) -> Agreed {
        let (circuit, reference) = (&mut self.circuit, &self.reference);
        let changes = std::iter::from_fn(|| circuit.poll_transition());
        let changes: Vec<_> = changes.map(Change::from).collect();
        same("changes", &changes[..], &reference.changes[self.told..])?;
        self.told = reference.changes.len();

        let word = circuit.overriding();
        let word = word.map(|word| (word.forced(), word.expires_at()));
        let expected = reference.word.map(|word| (word.forced, word.expires));
        let generation = circuit.generation().number();
        same("override", &word, &expected)?;
        same("state", &circuit.state(), &reference.state)?;
        same("generation", &generation, &reference.generation)?;
        same("late", &circuit.late(), &reference.late)?;
        same("retry_at", &circuit.retry_at(), &reference.retry_at())?;
        self.agree_at(reference.now)?;
        self.agree_until_deadline()
    }

    /// Whether what the circuit says holds at an instant of which it is not told.
    fn agree_at(&self, at: Instant) -> Agreed {
        let (standing, reference) = (self.circuit.standing(), &self.reference);
        let asleep = standing.wake == Wake::Asleep;
        same("counts", &self.circuit.counts(), &reference.counts(at))?;
        same("places", &standing.places.into(), &reference.places_left())?;
        same("asleep", &asleep, &reference.is_asleep(at))
    }

    /// The circuit stays right until the deadline that it asks to be told of.
    fn agree_until_deadline(&self) -> Agreed {
        let due = self.circuit.next_deadline();
        let change = self.reference.next_due();
        if change.is_some_and(|change| due.is_none_or(|due| due > change)) {
            return Err(format!("it asks for {due:?}, but {change:?} is due"));
        }
        let until = due.unwrap_or(self.reference.now + A_DAY) - NANOSECOND;
        self.agree_at(until.max(self.reference.now))
            .map_err(|wrong| format!("just before the deadline at {due:?}: {wrong}"))
    }
}

pub(crate) fn same<T: Debug + PartialEq + ?Sized>(what: &str, circuit: &T, model: &T) -> Agreed {
    if circuit == model {
        return Ok(());
    }
    Err(format!(
        "{what}\n circuit: {circuit:?}\n   model: {model:?}"
    ))
}
