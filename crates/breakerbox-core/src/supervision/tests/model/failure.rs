use super::*;

impl Model {
    pub(super) fn lost(&mut self, who: usize, exit: &Exit) {
        let over = self.to_stop.is_some();
        let stopping_group = self.script.as_ref().is_some_and(|script| !script.slept);
        let scripted = self.is_scripted(who);
        let now = self.now;
        let kid = self.kids[who].as_mut().unwrap();
        if kid.life == Life::Up {
            kid.spans.push((kid.up_since, now));
        }
        let hopeless = kid.draft.is_hopeless_after(exit);
        let again = kid.draft.comes_back_after(exit);
        let join = stopping_group && (again || scripted && !kid.draft.is_temporary());
        match () {
            () if over => self.send_home(who, "shut down"),
            () if join => self.restart_group(who, None),
            () if again => self.failed(who),
            () => {
                self.met
                    .extend(hopeless.then_some("an exit not worth a restart"));
                self.bows_out(who, "finished");
            }
        }
    }

    pub(super) fn never_was(&mut self, who: usize) {
        let fatal = self.booting.is_some_and(|before| who < before) && self.to_stop.is_none();
        if fatal {
            self.say(who, "escalate");
        }
        self.send_home(who, "start failed");
        if fatal {
            self.shutdown();
        }
    }

    pub(super) fn failed(&mut self, who: usize) {
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
            self.met.push(own.of_a_child());
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

    pub(super) fn bows_out(&mut self, who: usize, why: &'static str) {
        let mut others = 0;
        let mut counts = false;
        for (index, kid) in self.kids.iter().enumerate() {
            if let Some(kid) = kid.as_ref().filter(|kid| kid.draft.significant) {
                counts |= index == who;
                let leaves = kid.life.is_done() || matches!(kid.life, Life::Stopping(_, false));
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

    pub(super) fn begin_again(&mut self, who: usize, wait: Option<(Nap, u64)>) {
        match (self.strategy, wait) {
            (Strategy::OneForOne, None) => self.start(who),
            (Strategy::OneForOne, Some((nap, span))) => self.nap(who, nap, span),
            _ => self.restart_group(who, wait),
        }
    }

    pub(super) fn nap(&mut self, who: usize, nap: Nap, span: u64) {
        let until = self.now + span;
        let kid = self.kids[who].as_mut().unwrap();
        kid.life = Life::Asleep(nap, until);
        if nap == Nap::Pause {
            kid.meter.until = kid.meter.until.max(until);
            self.meter.until = self.meter.until.max(until);
        }
    }
}
