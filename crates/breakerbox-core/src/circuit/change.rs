use super::{Circuit, Closed, Phase};
use crate::circuit::probes::Probes;
use crate::window::Verdicts;
use crate::{Counts, Reason, Transition, Window};

/// How a circuit changes its state.
impl Circuit {
    pub(super) fn open(&mut self, reason: Reason) {
        let evidence = self.verdicts.counts();
        self.openings = self.openings_remembered().saturating_add(1);
        let until = self.now + self.config.open_for.wait(self.openings, &mut self.dice);
        let until = self.pushed_back.map_or(until, |asked| asked.max(until));
        self.verdicts.freeze();
        self.opened_by = Some(reason);
        self.begin(Phase::Open { until }, reason, evidence);
    }

    pub(super) fn half_open(&mut self) {
        let evidence = self.verdicts.counts();
        self.verdicts = Verdicts::new(Window::unbounded(), self.now);
        self.begin(
            Phase::HalfOpen(Probes::new(self.config.probes)),
            Reason::OpenElapsed,
            evidence,
        );
    }

    pub(super) fn close(&mut self, reason: Reason) {
        let evidence = self.verdicts.counts();
        self.verdicts = Verdicts::new(self.config.window, self.now);
        self.opened_by = None;
        let mut closed = Closed::new(&self.config, self.now);
        if reason == Reason::ProbesSucceeded {
            closed.climb = self.config.ramp.map(|ramp| ramp.begin(self.now));
        }
        self.begin(Phase::Closed(closed), reason, evidence);
    }

    fn begin(&mut self, phase: Phase, reason: Reason, evidence: Counts) {
        let from = self.state();
        let until = match phase {
            Phase::Open { until } => Some(until),
            Phase::Closed(_) | Phase::HalfOpen(_) => None,
        };
        self.phase = phase;
        self.generation = self.generation.next();
        self.pushed_back = None;
        let transition = Transition {
            at: self.now,
            evidence,
            from,
            generation: self.generation,
            overridden_by: self.forced(),
            reason,
            sequence: self.last_transition().map_or(0, |last| last.sequence) + 1,
            to: self.state(),
            until,
        };
        match &mut self.last_transition {
            Some(last) => **last = transition,
            None => self.last_transition = Some(Box::new(transition)),
        }
        self.transitions.push_back(transition);
    }

    /// Past openings in a row, less one for each healthy span in Closed.
    pub(super) fn openings_remembered(&self) -> u32 {
        let Phase::Closed(Closed { since, .. }) = self.phase else {
            return self.openings;
        };
        let healthy = self.now.saturating_duration_since(since).as_nanos();
        let forgotten = healthy / self.config.healthy_span.as_nanos();
        self.openings
            .saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }
}
