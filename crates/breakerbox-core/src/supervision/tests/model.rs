//! A supervision as one would write it down without thinking of speed.
//!
//! It keeps lists where the machine keeps state: all failures, all spans of
//! uptime, and for a group a script of who is to go down and who is to come up.
//! Time is in milliseconds since the epoch of the tests.

mod command;
mod end;
mod failure;
mod group;
mod kid;
mod meter;

use kid::{Kid, Life, Nap};
use meter::{Answer, Blow, Meter};

use super::*;

pub(super) use kid::Draft;
pub(super) use meter::{Bound, Then};

pub(super) struct Model {
    auto_shutdown: AutoShutdown,
    booting: Option<usize>,
    kids: Vec<Option<Kid>>,
    meter: Meter,
    /// What the history has come upon that cannot be told from what was said.
    pub(super) met: Vec<&'static str>,
    pub(super) now: u64,
    pub(super) said: Vec<String>,
    script: Option<Script>,
    strategy: Strategy,
    /// Who is still to go down, once the end has begun.
    to_stop: Option<Vec<usize>>,
    unbooted: bool,
    /// Who is on the way down, once the end has begun.
    under_way: Vec<usize>,
}

/// Who is to go down, and to come up then.
struct Script {
    /// Whether all were down, and those who had to have begun to wait.
    slept: bool,
    ups: Vec<usize>,
}

impl Model {
    pub(super) fn new(strategy: Strategy, bound: Bound, auto_shutdown: AutoShutdown) -> Self {
        Self {
            auto_shutdown,
            booting: None,
            kids: Vec::new(),
            meter: Meter::new(bound),
            met: Vec::new(),
            now: 0,
            said: Vec::new(),
            script: None,
            strategy,
            to_stop: None,
            unbooted: true,
            under_way: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, draft: Draft) {
        if self.to_stop.is_some() {
            return;
        }
        self.kids.push(Some(Kid::new(draft)));
        self.take_up(self.kids.len() - 1);
        self.go_on();
    }

    pub(super) fn boot(&mut self) {
        self.unbooted = false;
        self.booting = Some(self.kids.len());
        let ups = (0..self.kids.len()).collect();
        self.script = Some(Script { slept: true, ups });
        self.go_on();
    }

    pub(super) fn started(&mut self, who: usize) {
        let now = self.now;
        if let Some(kid) = self.kid(who).filter(|kid| kid.life == Life::Starting) {
            kid.life = Life::Up;
            kid.ever_up = true;
            kid.up_since = now;
        }
        self.go_on();
    }

    pub(super) fn exited(&mut self, who: usize, exit: &Exit) {
        let over = self.to_stop.is_some();
        let scripted = self.is_scripted(who);
        let Some(kid) = self.kid(who) else {
            return;
        };
        match kid.life {
            Life::Starting if !kid.ever_up => self.never_was(who),
            Life::Starting | Life::Up => self.lost(who, exit),
            Life::Ending | Life::EndingStuck if over => self.send_home(who, "shut down"),
            Life::Ending | Life::EndingStuck if scripted => kid.life = Life::Held(None),
            Life::Ending | Life::EndingStuck => self.start(who),
            Life::Stopping(why, again) => {
                self.say(who, &format!("ended {why}"));
                self.is_gone(who, why, again && !over);
            }
            Life::Stuck(_, true) if over => {
                kid.life = Life::Down("shut down");
                self.met.push("a stuck child gone before its turn to stop");
                self.say(who, "ended shut down");
            }
            Life::Stuck(why, again) => self.is_gone(who, why, again),
            _ => {}
        }
        self.go_on();
    }

    pub(super) fn stuck(&mut self, who: usize) {
        let over = self.to_stop.is_some();
        let Some(kid) = self.kid(who) else {
            return;
        };
        match kid.life {
            Life::Ending => kid.life = Life::EndingStuck,
            Life::Stopping(why, again) => {
                kid.life = Life::Stuck(why, again && !over);
                self.say(who, &format!("ended {why}"));
            }
            _ => {}
        }
        self.go_on();
    }

    pub(super) fn deadline(&mut self) {
        for (_, who) in self.naps() {
            if self
                .naps()
                .iter()
                .any(|nap| nap.0 <= self.now && nap.1 == who)
            {
                self.wake(who);
            }
        }
        self.go_on();
    }

    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.naps().first().map(|nap| nap.0)
    }

    pub(super) fn phase(&self, who: usize) -> Option<Phase> {
        Some(self.kids.get(who)?.as_ref()?.phase())
    }

    pub(super) fn is_over(&self) -> bool {
        let mut lives = self.kids.iter().flatten().map(|kid| kid.life);
        self.to_stop.is_some() && lives.all(Life::is_done)
    }

    /// Whoever sleeps, the first to wake first; nobody does at the end.
    fn naps(&self) -> Vec<(u64, usize)> {
        let mut naps = Vec::new();
        for (who, kid) in self.kids.iter().enumerate() {
            if let (Some(kid), None) = (kid, &self.to_stop)
                && let Life::Asleep(_, until) = kid.life
            {
                naps.push((until, who));
            }
        }
        naps.sort_unstable();
        naps
    }

    fn go_on(&mut self) {
        if self.to_stop.is_some() {
            self.stop_those_left();
        } else if let Some(script) = self.script.take() {
            self.follow(script);
        }
    }

    fn is_gone(&mut self, who: usize, why: &'static str, again: bool) {
        let over = self.to_stop.is_some();
        let kid = self.kids[who].as_mut().unwrap();
        kid.life = Life::Down(why);
        if kid.is_forgotten_after(why) && !over {
            self.kids[who] = None;
        } else if again {
            self.take_up(who);
        }
    }

    fn start(&mut self, who: usize) {
        let kid = self.kids[who].as_mut().unwrap();
        kid.life = Life::Starting;
        kid.number += 1;
        self.say(who, "start");
    }

    fn end(&mut self, who: usize) {
        self.leave(who, Life::Ending);
        self.say(who, "end");
    }

    fn send_home(&mut self, who: usize, why: &'static str) {
        self.leave(who, Life::Stopping(why, false));
        self.say(who, "stop");
    }

    fn leave(&mut self, who: usize, life: Life) {
        let now = self.now;
        let kid = self.kids[who].as_mut().unwrap();
        if kid.life == Life::Up {
            kid.spans.push((kid.up_since, now));
        }
        kid.life = life;
    }

    fn say(&mut self, who: usize, what: &str) {
        let name = char::from(b'a' + u8::try_from(who).unwrap());
        let number = self.kids[who].as_ref().map_or(0, |kid| kid.number);
        self.said.push(match what {
            "start" | "end" | "stop" => format!("{what} {name}{number}"),
            _ => format!("{name} {what}"),
        });
    }

    fn is_scripted(&self, who: usize) -> bool {
        self.script
            .as_ref()
            .is_some_and(|script| script.ups.contains(&who))
    }

    fn kid(&mut self, who: usize) -> Option<&mut Kid> {
        self.kids.get_mut(who)?.as_mut()
    }
}
