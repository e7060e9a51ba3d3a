//! A supervision as one would write it down without thinking of speed.
//!
//! It keeps lists where the machine keeps state: all failures, all spans of
//! uptime, and for a group a script of who is to go down and who is to come up.
//! Time is in milliseconds since the epoch of the tests.

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
    pub(super) now: u64,
    pub(super) said: Vec<String>,
    script: Option<Script>,
    strategy: Strategy,
    /// Who is still to go down, once the end has begun.
    to_stop: Option<Vec<usize>>,
    unbooted: bool,
}

/// Who is to go down, and who is to come up then.
#[derive(Default)]
struct Script {
    downs: Vec<usize>,
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
            now: 0,
            said: Vec::new(),
            script: None,
            strategy,
            to_stop: None,
            unbooted: true,
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
        self.script = Some(Script {
            downs: vec![],
            slept: true,
            ups,
        });
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

    pub(super) fn exited(&mut self, who: usize, normally: bool) {
        let over = self.to_stop.is_some();
        let stopping_group = self.script.as_ref().is_some_and(|script| !script.slept);
        let scripted = self.is_scripted(who);
        let now = self.now;
        let Some(kid) = self.kid(who) else {
            return;
        };
        let again = !kid.draft.is_temporary() && (kid.draft.is_permanent() || !normally);
        match kid.life {
            Life::Starting if !kid.ever_up => self.never_was(who),
            Life::Starting | Life::Up => {
                if kid.life == Life::Up {
                    kid.spans.push((kid.up_since, now));
                }
                let join = stopping_group && (again || scripted && !kid.draft.is_temporary());
                match () {
                    () if over => self.send_home(who, "shut down"),
                    () if join => self.restart_group(who, None),
                    () if again => self.failed(who),
                    () => self.bows_out(who, "finished"),
                }
            }
            Life::Ending if over => self.send_home(who, "shut down"),
            Life::Ending if scripted => kid.life = Life::Held(None),
            Life::Ending => self.start(who),
            Life::Stopping(why, again) => {
                kid.life = Life::Down(why);
                let forgotten = matches!(why, "removed" | "start failed")
                    || why == "finished" && kid.draft.is_temporary();
                self.say(who, &format!("ended {why}"));
                if forgotten && !over {
                    self.kids[who] = None;
                } else if again && !over {
                    self.take_up(who);
                }
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

    pub(super) fn remove(&mut self, who: usize) -> bool {
        let Some(kid) = self.kid(who) else {
            return false;
        };
        match kid.life {
            Life::Down(_) => self.kids[who] = None,
            Life::Turn => {
                self.kids[who] = None;
                self.say(who, "ended removed");
            }
            Life::Stopping("shut down", _) => {}
            Life::Stopping(..) => kid.life = Life::Stopping("removed", false),
            _ => self.send_home(who, "removed"),
        }
        self.go_on();
        true
    }

    pub(super) fn stop(&mut self, who: usize) -> bool {
        let Some(kid) = self.kid(who) else {
            return false;
        };
        match kid.life {
            Life::Stopping("removed" | "start failed", _) => return false,
            Life::Down("gave up" | "shut down")
            | Life::Stopping("gave up" | "shut down", false) => {}
            Life::Down(_) => kid.life = Life::Down("stopped"),
            Life::Turn => {
                kid.life = Life::Down("stopped");
                self.say(who, "ended stopped");
            }
            Life::Stopping(..) => kid.life = Life::Stopping("stopped", false),
            _ => self.send_home(who, "stopped"),
        }
        self.go_on();
        true
    }

    pub(super) fn restart(&mut self, who: usize) -> bool {
        let over = self.to_stop.is_some();
        let doomed = self.is_scripted(who) && self.script.as_ref().is_some_and(|it| !it.slept);
        let now = self.now;
        let Some(kid) = self.kid(who).filter(|_| !over) else {
            return false;
        };
        match kid.life {
            Life::Stopping("removed" | "start failed", _) => return false,
            Life::Stopping("finished", _) if kid.draft.is_temporary() => return false,
            Life::Stopping(why, _) => kid.life = Life::Stopping(why, true),
            Life::Down(_) => self.take_up(who),
            Life::Held(_) | Life::Asleep(..) => {
                kid.meter.until = kid.meter.until.min(now);
                self.wake(who);
            }
            Life::Starting | Life::Up if !doomed => self.end(who),
            _ => {}
        }
        self.go_on();
        true
    }

    pub(super) fn shutdown(&mut self) {
        if self.to_stop.is_none() {
            self.to_stop = Some((0..self.kids.len()).collect());
            self.script = None;
            self.go_on();
        }
    }

    pub(super) fn phase(&self, who: usize) -> Option<Phase> {
        Some(self.kids.get(who)?.as_ref()?.phase())
    }

    pub(super) fn is_over(&self) -> bool {
        let mut lives = self.kids.iter().flatten().map(|kid| kid.life);
        self.to_stop.is_some() && lives.all(|life| matches!(life, Life::Down(_)))
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

    fn never_was(&mut self, who: usize) {
        let fatal = self.booting.is_some_and(|before| who < before) && self.to_stop.is_none();
        if fatal {
            self.say(who, "escalate");
        }
        self.send_home(who, "start failed");
        if fatal {
            self.shutdown();
        }
    }

    fn failed(&mut self, who: usize) {
        let now = self.now;
        let Some(kid) = self.kid(who) else {
            return;
        };
        let calm_after = kid.draft.calm_after();
        let was_up = kid.life == Life::Up;
        let spans = std::mem::take(&mut kid.spans);
        if spans.iter().any(|(from, to)| to - from >= calm_after) {
            kid.failing = 0;
        }
        let own = kid.meter.hit(&Blow {
            at: now,
            calm_after,
            spans: spans.clone(),
        });
        let last = spans.last().copied().filter(|_| was_up);
        let blow = Blow {
            at: now,
            calm_after,
            spans: last.into_iter().collect(),
        };
        let answer = if own == Answer::Bear {
            self.meter.hit(&blow)
        } else {
            own
        };
        match answer {
            Answer::Bear => {
                let wait = self.kid(who).and_then(Kid::back_off);
                self.begin_again(who, wait.map(|span| (Nap::Backoff, span)));
            }
            Answer::Escalate => {
                self.say(who, "escalate");
                self.say(who, "gave up");
                self.send_home(who, "gave up");
                self.shutdown();
            }
            Answer::Pause(span) => self.begin_again(who, Some((Nap::Pause, span))),
            Answer::StopChild => {
                self.say(who, "gave up");
                self.bows_out(who, "gave up");
            }
        }
    }

    fn bows_out(&mut self, who: usize, why: &'static str) {
        let mut others = 0;
        let mut counts = false;
        for (index, kid) in self.kids.iter().enumerate() {
            if let Some(kid) = kid.as_ref().filter(|kid| kid.draft.significant) {
                counts |= index == who;
                let leaves = matches!(kid.life, Life::Down(_) | Life::Stopping(_, false));
                others += usize::from(index != who && !leaves);
            }
        }
        let last_straw = match self.auto_shutdown {
            AutoShutdown::AllSignificant => counts && others == 0,
            AutoShutdown::AnySignificant => counts,
            AutoShutdown::Never => false,
        };
        if last_straw {
            self.say(who, "auto shutdown");
        }
        self.send_home(who, why);
        if last_straw {
            self.shutdown();
        }
    }

    fn begin_again(&mut self, who: usize, wait: Option<(Nap, u64)>) {
        match (self.strategy, wait) {
            (Strategy::OneForOne, None) => self.start(who),
            (Strategy::OneForOne, Some((nap, span))) => self.nap(who, nap, span),
            _ => self.restart_group(who, wait),
        }
    }

    /// Writes a new script; who had not come up yet is in it again.
    fn restart_group(&mut self, who: usize, wait: Option<(Nap, u64)>) {
        let first = if self.strategy == Strategy::OneForAll {
            0
        } else {
            who
        };
        let mut ups: Vec<_> = (first..self.kids.len()).collect();
        let left = self.script.take().map(|script| script.ups);
        ups.extend(left.unwrap_or_default());
        ups.sort_unstable();
        ups.dedup();
        let downs = ups.iter().rev().copied().collect();
        self.script = Some(Script {
            downs,
            slept: false,
            ups,
        });
        if let Some(kid) = self.kid(who) {
            kid.life = Life::Held(wait);
        }
    }

    fn go_on(&mut self) {
        if let Some(left) = &mut self.to_stop {
            let Some(who) = left.last().copied() else {
                return;
            };
            match self.kids[who].as_ref().map(|kid| kid.life) {
                Some(Life::Stopping(..)) => return,
                None | Some(Life::Down(_)) => {}
                Some(Life::Turn) => {
                    self.kids[who].as_mut().unwrap().life = Life::Down("shut down");
                    self.say(who, "ended shut down");
                }
                Some(_) => return self.send_home(who, "shut down"),
            }
            self.to_stop.as_mut().unwrap().pop();
            self.go_on();
        } else if let Some(script) = self.script.take() {
            self.follow(script);
        }
    }

    fn follow(&mut self, mut script: Script) {
        while let Some(who) = script.downs.first().copied() {
            match self.kids[who].as_ref().map(|kid| (kid.life, kid.draft)) {
                Some((Life::Starting | Life::Up, draft)) => {
                    self.script = Some(script);
                    return if draft.is_temporary() {
                        self.send_home(who, "finished");
                    } else {
                        self.end(who);
                    };
                }
                Some((Life::Ending | Life::Stopping(..), _)) => {
                    self.script = Some(script);
                    return;
                }
                _ => {
                    script.downs.remove(0);
                }
            }
        }
        // One that was down already may be leaving for good by now.
        let leaves = |who: &usize| {
            let life = self.kids[*who].as_ref().map(|kid| kid.life);
            matches!(life, Some(Life::Stopping(..)))
        };
        if !script.slept && script.ups.iter().any(leaves) {
            self.script = Some(script);
            return;
        }
        if !script.slept {
            script.slept = true;
            for who in script.ups.clone() {
                match self.kids[who].as_ref().map(|kid| kid.life) {
                    Some(Life::Down("finished")) => {
                        self.kids[who].as_mut().unwrap().life = Life::Turn;
                    }
                    Some(Life::Held(Some((nap, span)))) => self.nap(who, nap, span),
                    _ => {}
                }
            }
        }
        self.come_up(script);
    }

    fn come_up(&mut self, mut script: Script) {
        let life = |who: &usize| self.kids[*who].as_ref().map(|kid| kid.life);
        let lives: Vec<_> = script.ups.iter().filter_map(life).collect();
        if lives.iter().any(|life| matches!(life, Life::Asleep(..))) {
            self.script = Some(script);
            return;
        }
        script
            .ups
            .retain(|who| !matches!(life(who), None | Some(Life::Down(_) | Life::Up)));
        let busy = |life: &Life| matches!(life, Life::Starting | Life::Ending | Life::Stopping(..));
        match script.ups.first().copied() {
            None => self.booting = None,
            Some(who) => {
                self.script = Some(script);
                if !lives.iter().any(busy) {
                    self.start(who);
                }
            }
        }
    }

    fn take_up(&mut self, who: usize) {
        match &mut self.script {
            None if !self.unbooted => return self.start(who),
            None => {}
            Some(_) if self.strategy == Strategy::OneForOne => return self.start(who),
            Some(script) => {
                script.ups.push(who);
                script.ups.sort_unstable();
                script.ups.dedup();
            }
        }
        self.kids[who].as_mut().unwrap().life = Life::Turn;
    }

    fn wake(&mut self, who: usize) {
        if self.is_scripted(who) {
            self.kids[who].as_mut().unwrap().life = Life::Held(None);
        } else {
            self.start(who);
        }
    }

    fn nap(&mut self, who: usize, nap: Nap, span: u64) {
        let until = self.now + span;
        let kid = self.kids[who].as_mut().unwrap();
        kid.life = Life::Asleep(nap, until);
        if nap == Nap::Pause {
            kid.meter.until = kid.meter.until.max(until);
            self.meter.until = self.meter.until.max(until);
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
