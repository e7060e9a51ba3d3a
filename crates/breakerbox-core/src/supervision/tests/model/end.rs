use super::*;

impl Model {
    pub(in super::super) fn shutdown(&mut self) {
        self.begin_the_end();
        self.go_on();
    }

    pub(in super::super) fn shutdown_at_once(&mut self) {
        self.begin_the_end();
        let mut asked = 0;
        while let Some(who) = self.to_stop.as_mut().and_then(Vec::pop) {
            if self.life(who).is_some_and(|life| !life.is_done()) {
                self.end_for_good(who);
                asked += 1;
            }
        }
        if asked > 1 {
            self.met.push("several stopped at once");
        }
    }

    /// Whoever is left is stopped after all behind it, or beside those like it.
    pub(super) fn stop_those_left(&mut self) {
        loop {
            let under_way = self.under_way.iter().copied();
            let on_its_way = |who: &usize| matches!(self.life(*who), Some(Life::Stopping(..)));
            self.under_way = under_way.filter(on_its_way).collect();
            let Some(who) = self.to_stop.as_ref().and_then(|left| left.last().copied()) else {
                return;
            };
            if self.life(who).is_some_and(|life| !life.is_done()) {
                let shares = |who: &usize| self.shares(*who);
                let all_share = shares(&who) && self.under_way.iter().all(shares);
                if !self.under_way.is_empty() && !all_share {
                    return;
                }
                self.end_for_good(who);
                if self.under_way.len() > 1 {
                    self.met.push("several stopped side by side");
                }
            }
            self.to_stop.as_mut().unwrap().pop();
        }
    }

    fn begin_the_end(&mut self) {
        if self.to_stop.is_none() {
            self.to_stop = Some((0..self.kids.len()).collect());
            self.script = None;
        }
    }

    fn end_for_good(&mut self, who: usize) {
        let kid = self.kids[who].as_mut().unwrap();
        match kid.life {
            Life::Turn => {
                kid.life = Life::Down("shut down");
                self.say(who, "ended shut down");
            }
            Life::Stuck(..) => {
                kid.life = Life::Stuck("shut down", false);
                self.say(who, "ended shut down");
            }
            Life::Stopping(..) => self.under_way.push(who),
            _ => {
                self.send_home(who, "shut down");
                self.under_way.push(who);
            }
        }
    }

    fn life(&self, who: usize) -> Option<Life> {
        Some(self.kids.get(who)?.as_ref()?.life)
    }

    fn shares(&self, who: usize) -> bool {
        let kid = self.kids[who].as_ref();
        kid.is_some_and(|kid| kid.draft.side_by_side)
    }
}
