use std::collections::HashSet;
use std::sync::Arc;

use super::super::link::Link;
use super::{Departure, End, Report, Stopped};

/// How a supervisor ended, as it tells the one above: without paths.
///
/// To put paths together on each level would cost a deep tree the cube of its depth. They
/// are made when somebody reads the report.
pub(in super::super) struct Account {
    pub(in super::super) end: End,
    pub(super) stopped: Vec<Branch>,
    /// Those that are left, by their paths, instead of what was said of them before.
    stuck: Vec<Stopped>,
}

/// A child that was stopped.
pub(super) struct Branch {
    /// What its own end was, if it is a supervisor.
    pub(super) below: Option<Link<Account>>,
    /// Its name, as it stands in a path.
    pub(super) child: Arc<str>,
    pub(super) departure: Departure,
}

impl Account {
    pub(super) const fn new(end: End, stopped: Vec<Branch>) -> Self {
        Self {
            end,
            stopped,
            stuck: Vec::new(),
        }
    }

    /// The account of one that was killed, so left none, with what is known of it.
    pub(in super::super) const fn killed(stuck: Vec<Stopped>) -> Self {
        Self {
            end: End::Killed,
            stopped: Vec::new(),
            stuck,
        }
    }

    /// The same, with those that are left.
    pub(in super::super) fn with_stuck(self, stuck: Vec<Stopped>) -> Self {
        Self { stuck, ..self }
    }

    /// Returns whether something of its children is left, or of those below them.
    pub(in super::super) fn is_stuck(&self) -> bool {
        let own = self.stopped.iter().map(|child| child.departure);
        let known = self.stuck.iter().map(|child| child.departure);
        own.chain(known).any(|it| it == Departure::Stuck)
    }

    /// Returns what a user reads.
    pub(in super::super) fn report(&self) -> Report {
        Report {
            end: self.end.clone(),
            stopped: Listing::of(self).stopped,
        }
    }
}

/// The list of all that were stopped, while it is written.
struct Listing {
    /// The path of the supervisor that is being listed.
    path: String,
    stopped: Vec<Stopped>,
}

/// A supervisor that is being listed.
struct Level<'a> {
    account: &'a Account,
    /// Where it is a child itself.
    branch: Option<&'a Branch>,
    /// How many have been listed before it.
    first: usize,
    left: std::slice::Iter<'a, Branch>,
    /// The length of the path above it.
    path: usize,
}

impl Listing {
    fn of(root: &Account) -> Self {
        let mut listing = Self {
            path: String::new(),
            stopped: Vec::new(),
        };
        let mut levels = vec![listing.enter(root, None)];
        while let Some(level) = levels.last_mut() {
            match level.left.next() {
                Some(branch) => match &branch.below {
                    Some(below) => levels.push(listing.enter(below, Some(branch))),
                    None => listing.add(&branch.child, branch.departure),
                },
                None => levels.pop().into_iter().for_each(|it| listing.leave(&it)),
            }
        }
        listing
    }

    fn enter<'a>(&mut self, account: &'a Account, branch: Option<&'a Branch>) -> Level<'a> {
        let path = self.path.len();
        if let Some(branch) = branch {
            self.path.push_str(&branch.child);
            self.path.push('/');
        }
        Level {
            account,
            branch,
            first: self.stopped.len(),
            left: account.stopped.iter(),
            path,
        }
    }

    /// All of a supervisor's children are listed, so it is next itself.
    fn leave(&mut self, level: &Level<'_>) {
        if !level.account.stuck.is_empty() {
            self.replace(level.first, &level.account.stuck);
        }
        self.path.truncate(level.path);
        if let Some(branch) = level.branch {
            self.add(&branch.child, branch.departure);
        }
    }

    /// Names those that are left once, instead of what was said of them before.
    fn replace(&mut self, first: usize, stuck: &[Stopped]) {
        let before = self.stopped.split_off(first);
        let paths = stuck.iter().map(|it| self.path_of(&it.child));
        let paths: HashSet<_> = paths.collect();
        let others = before.into_iter().filter(|it| !paths.contains(&it.child));
        self.stopped.extend(others);
        for it in stuck {
            self.add(&it.child, it.departure);
        }
    }

    fn add(&mut self, child: &str, departure: Departure) {
        let child = self.path_of(child);
        self.stopped.push(Stopped { child, departure });
    }

    fn path_of(&self, child: &str) -> Arc<str> {
        Arc::from(format!("{}{child}", self.path))
    }
}
