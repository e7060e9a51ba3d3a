use super::*;

impl Model {
    /// Writes a new script; who had not come up yet is in it again.
    pub(super) fn restart_group(&mut self, who: usize, wait: Option<(Nap, u64)>) {
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
        self.script = Some(Script { slept: false, ups });
        if let Some(kid) = self.kid(who) {
            kid.life = Life::Held(wait);
        }
    }

    pub(super) fn follow(&mut self, mut script: Script) {
        // The last one first, and each waits for those behind it, whyever they go.
        for who in script
            .ups
            .clone()
            .into_iter()
            .rev()
            .filter(|_| !script.slept)
        {
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
                _ => {}
            }
        }
        if !script.slept {
            script.slept = true;
            for who in script.ups.clone() {
                match self.kids[who].as_ref().map(|kid| kid.life) {
                    Some(Life::Down("finished")) => {
                        self.kids[who].as_mut().unwrap().life = Life::Turn;
                    }
                    Some(Life::Stuck("finished", false)) if !self.is_temporary(who) => {
                        self.kids[who].as_mut().unwrap().life = Life::Stuck("finished", true);
                    }
                    Some(Life::Held(Some((nap, span)))) => self.nap(who, nap, span),
                    _ => {}
                }
            }
        }
        self.come_up(script);
    }

    pub(super) fn come_up(&mut self, mut script: Script) {
        let life = |who: &usize| self.kids[*who].as_ref().map(|kid| kid.life);
        let lives: Vec<_> = script.ups.iter().filter_map(life).collect();
        if lives.iter().any(|life| matches!(life, Life::Asleep(..))) {
            self.script = Some(script);
            return;
        }
        script
            .ups
            .retain(|who| life(who).is_some_and(|life| !life.is_done() && life != Life::Up));
        let busy = |life: &Life| matches!(life, Life::Starting | Life::Ending | Life::Stopping(..));
        match script.ups.first().copied() {
            None => self.booting = None,
            Some(who) => {
                let is_stuck = matches!(life(&who), Some(Life::EndingStuck | Life::Stuck(..)));
                self.script = Some(script);
                if lives.iter().any(busy) {
                    return;
                }
                if is_stuck {
                    self.met.push("a group that waits for a stuck child");
                } else {
                    self.start(who);
                }
            }
        }
    }

    pub(super) fn take_up(&mut self, who: usize) {
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

    fn is_temporary(&self, who: usize) -> bool {
        let kid = self.kids[who].as_ref();
        kid.is_some_and(|kid| kid.draft.is_temporary())
    }

    pub(super) fn wake(&mut self, who: usize) {
        if self.is_scripted(who) {
            self.kids[who].as_mut().unwrap().life = Life::Held(None);
        } else {
            self.start(who);
        }
    }
}
