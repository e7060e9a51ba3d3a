use super::*;

impl Model {
    pub(in super::super) fn remove(&mut self, who: usize) -> bool {
        let Some(kid) = self.kid(who) else {
            return false;
        };
        match kid.life {
            Life::Down(_) => self.kids[who] = None,
            Life::Turn => {
                self.kids[who] = None;
                self.say(who, "ended removed");
            }
            Life::Stuck(..) => {
                kid.life = Life::Stuck("removed", false);
                self.met.push("a removal of a stuck child");
                self.say(who, "ended removed");
            }
            Life::Stopping("shut down", _) => {}
            Life::Stopping(..) => kid.life = Life::Stopping("removed", false),
            _ => self.send_home(who, "removed"),
        }
        self.go_on();
        true
    }

    pub(in super::super) fn stop(&mut self, who: usize) -> bool {
        let Some(kid) = self.kid(who) else {
            return false;
        };
        match kid.life {
            Life::Stopping("removed" | "start failed", _)
            | Life::Stuck("removed" | "start failed", _) => return false,
            Life::Stuck(why, again) => {
                let stays = matches!(why, "gave up" | "shut down") && !again;
                let why = if stays { why } else { "stopped" };
                kid.life = Life::Stuck(why, false);
                self.met.push("a stop of a stuck child");
                self.say(who, &format!("ended {why}"));
            }
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

    pub(in super::super) fn restart(&mut self, who: usize) -> bool {
        let over = self.to_stop.is_some();
        let doomed = self.is_scripted(who) && self.script.as_ref().is_some_and(|it| !it.slept);
        let now = self.now;
        let Some(kid) = self.kid(who).filter(|_| !over) else {
            return false;
        };
        match kid.life {
            Life::Stopping(why, _) | Life::Stuck(why, _) if kid.is_forgotten_after(why) => {
                return false;
            }
            Life::Stuck(why, again) => {
                kid.life = Life::Stuck(why, true);
                self.met.push("a restart of a stuck child");
                let stays = again || why == "finished" && doomed;
                if !stays {
                    self.leave_script(who);
                }
            }
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

    /// It counts as down, so its group goes on without it.
    fn leave_script(&mut self, who: usize) {
        if let Some(script) = &mut self.script {
            script.ups.retain(|other| *other != who);
        }
    }
}
