//! The children of a supervision, and what is known of all of them at once.

use std::collections::BTreeMap;

use super::ChildId;
use super::plan::{Place, Plan};
use super::record::Record;
use super::state::State;

/// The records of all children, and what follows from all of them together.
///
/// No question about all children looks at each of them. The plan and the number
/// of significant children answer it, and [`change`](Self::change) keeps those up to
/// date, as the only way to a record.
#[derive(Debug)]
pub(super) struct Children {
    plan: Plan,
    records: BTreeMap<ChildId, Record>,
    /// How many are significant, and neither down nor about to be.
    significant: usize,
}

impl Children {
    pub(super) const fn none() -> Self {
        Self {
            plan: Plan::idle(),
            records: BTreeMap::new(),
            significant: 0,
        }
    }

    pub(super) fn get(&self, child: ChildId) -> Option<&Record> {
        self.records.get(&child)
    }

    pub(super) fn state(&self, child: ChildId) -> Option<State> {
        self.get(child).map(Record::state)
    }

    /// The ids of all children, in the order in which they were added.
    pub(super) fn ids(&self) -> impl Iterator<Item = ChildId> {
        self.records.keys().copied()
    }

    pub(super) const fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) const fn plan_mut(&mut self) -> &mut Plan {
        &mut self.plan
    }

    /// Returns whether the plan still has to do with a child.
    pub(super) fn is_planned(&self, child: ChildId) -> bool {
        let record = self.get(child);
        record.is_some_and(|record| self.plan.contains(record.place()))
    }

    /// Counts the significant children beside this one that stay.
    pub(super) fn significant_beside(&self, child: ChildId) -> usize {
        let record = self.get(child);
        self.significant - usize::from(record.is_some_and(Record::stays_significant))
    }

    pub(super) fn insert(&mut self, child: ChildId, record: Record) {
        self.significant += usize::from(record.stays_significant());
        self.records.insert(child, record);
        self.settle(child, false);
    }

    pub(super) fn remove(&mut self, child: ChildId) {
        if let Some(record) = self.records.remove(&child) {
            self.significant -= usize::from(record.stays_significant());
            self.plan.moved(child, record.place(), None);
        }
    }

    /// Changes a record, and then what follows from it for all children.
    pub(super) fn change<T>(
        &mut self,
        child: ChildId,
        change: impl FnOnce(&mut Record) -> T,
    ) -> Option<T> {
        let record = self.records.get_mut(&child)?;
        self.significant -= usize::from(record.stays_significant());
        let changed = change(record);
        self.significant += usize::from(record.stays_significant());
        let is_planned = self.plan.contains(record.place());
        self.settle(child, is_planned);
        Some(changed)
    }

    /// Makes all children those of a plan that begins to start them.
    pub(super) fn plan_boot(&mut self) {
        self.plan.begin_to_start();
        self.take_in_from(ChildId::FIRST);
    }

    /// Makes the children from `first` on those of a plan that begins to stop them.
    ///
    /// Those that are the plan's already are not looked at again.
    pub(super) fn plan_restart(&mut self, first: ChildId) {
        self.plan.begin_to_stop();
        self.take_in_from(first);
    }

    /// Makes a child one of the plan.
    pub(super) fn take_in(&mut self, child: ChildId) {
        self.settle(child, true);
    }

    /// The children at a place of the plan, in order.
    pub(super) fn planned_at(&self, place: Place) -> Vec<ChildId> {
        self.plan.at(place, ChildId::FIRST).collect()
    }

    /// Ends the plan, whatever it was about to do.
    pub(super) fn abandon_plan(&mut self) {
        self.plan.abandon();
        for child in self.ids().collect::<Vec<_>>() {
            self.settle(child, false);
        }
    }

    fn take_in_from(&mut self, first: ChildId) {
        let outside: Vec<_> = self.plan.at(Place::Outside, first).collect();
        for child in outside {
            self.take_in(child);
        }
    }

    /// Moves a child to the place where its state belongs.
    fn settle(&mut self, child: ChildId, is_planned: bool) {
        let Some(record) = self.records.get_mut(&child) else {
            return;
        };
        let from = record.place();
        let to = match record.is_about_to_be_forgotten() {
            true => None,
            false => self.plan.place(is_planned, record.state()),
        };
        if from != to {
            record.move_to(to);
            self.plan.moved(child, from, to);
        }
    }
}
