use std::time::Duration;

use proptest::prelude::{Just, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::*;
use crate::{Backoff, Ratio};

const SECOND: Duration = Duration::from_secs(1);
const GENEROUS: RestartIntensity = RestartIntensity::new(1_000, SECOND);

/// R36, R33: what every input makes of a child in every state.
#[test]
fn r36_every_state_answers_every_input() {
    use Input::*;
    use Phase::*;
    let table: &[(Phase, Input, Option<Phase>, &str)] = &[
        (Starting, Started, Some(Up), ""),
        (Starting, Crashed, None, "stop 1, ended start failed"),
        (Starting, Removed, Some(Stopping), "stop 1"),
        (Starting, Deadline, Some(Starting), ""),
        (Starting, Shutdown, Some(Stopping), "stop 1"),
        (Up, Started, Some(Up), ""),
        (Up, Crashed, Some(BackingOff), ""),
        (Up, Removed, Some(Stopping), "stop 1"),
        (Up, Deadline, Some(Up), ""),
        (Up, Shutdown, Some(Stopping), "stop 1"),
        (BackingOff, Started, Some(BackingOff), ""),
        (BackingOff, Crashed, Some(BackingOff), ""),
        (BackingOff, Removed, Some(Stopping), "stop 1"),
        (BackingOff, Deadline, Some(Starting), "start 2"),
        (BackingOff, Shutdown, Some(Stopping), "stop 1"),
        (Stopping, Started, Some(Stopping), ""),
        (Stopping, Crashed, None, "ended removed"),
        (Stopping, Removed, Some(Stopping), ""),
        (Stopping, Deadline, Some(Stopping), ""),
        (Stopping, Shutdown, Some(Stopping), ""),
        (Down, Started, Some(Down), ""),
        (Down, Crashed, Some(Down), ""),
        (Down, Removed, None, ""),
        (Down, Deadline, Some(Down), ""),
        (Down, Shutdown, Some(Down), ""),
    ];
    for (phase, input, then, directives) in table {
        let mut harness = Harness::with_child_in(*phase);
        let child = harness.only_child();
        harness.feed(child, *input);
        // A first start that failed is answered by a stop, which is then done.
        if let (Starting, Crashed) = (phase, input) {
            harness.exit(child, Exit::Normal);
        }
        let after = harness.supervision.status(child).map(|status| status.phase);
        assert_eq!(after, *then, "{phase:?} {input:?}");
        assert_eq!(harness.take_text(), *directives, "{phase:?} {input:?}");
    }
}

/// R32: which exits are followed by a restart.
#[test]
fn r32_the_restart_type_decides_about_each_exit() {
    let exits = [
        (Exit::Normal, [true, false, false]),
        (Exit::Error("e".into()), [true, true, false]),
        (Exit::InitFailed("i".into()), [true, true, false]),
        (Exit::Killed, [true, true, false]),
        (Exit::Panicked("p".into()), [true, true, false]),
    ];
    let types = [Restart::Permanent, Restart::Transient, Restart::Temporary];
    for (exit, answers) in exits {
        for (restart, again) in types.into_iter().zip(answers) {
            let mut harness = Harness::new(GENEROUS);
            let child = harness.up(ChildPolicy::new().restart(restart));
            harness.exit(child, exit.clone());
            let expected = if again { "start 2" } else { "stop 1" };
            assert_eq!(harness.take_text(), expected, "{restart:?} {exit:?}");
        }
    }
}

/// R32, rule 9: a finished temporary child leaves nothing behind.
#[test]
fn r32_a_temporary_child_is_forgotten_and_a_transient_one_is_kept() {
    for (restart, kept) in [(Restart::Temporary, false), (Restart::Transient, true)] {
        let mut harness = Harness::new(GENEROUS);
        let child = harness.up(ChildPolicy::new().restart(restart));
        harness.exit(child, Exit::Normal);
        harness.exit(child, Exit::Normal);
        assert_eq!(harness.supervision.status(child).is_some(), kept);
        assert_eq!(harness.take_text(), "stop 1, ended finished");
    }
}

/// R30: one after another, each once the one before is up.
#[test]
fn r30_a_boot_starts_the_next_child_when_the_last_is_up() {
    let mut harness = Harness::new(GENEROUS);
    let children: Vec<_> = (0..3).map(|_| harness.add(ChildPolicy::new())).collect();
    harness.supervision.boot(harness.now);
    for child in &children {
        assert!(!harness.supervision.is_booted());
        assert_eq!(harness.take_directives(), [(*child, "start 1".to_owned())]);
        harness.start(*child);
    }
    assert!(harness.supervision.is_booted());
    assert_eq!(harness.take_directives(), []);
}

/// R30: a child that does not come up brings the others down in reverse.
#[test]
fn r30_a_failed_boot_is_rolled_back_in_reverse() {
    let mut harness = Harness::new(GENEROUS);
    let [first, second, third, fourth] = [(); 4].map(|()| harness.add(ChildPolicy::new()));
    harness.supervision.boot(harness.now);
    harness.start(first);
    harness.start(second);
    harness.take_directives();
    harness.exit(third, Exit::InitFailed("no".into()));
    let expected = [
        (third, "escalate".to_owned()),
        (third, "stop 1".to_owned()),
        (fourth, "ended shut down".to_owned()),
    ];
    assert_eq!(harness.take_directives(), expected);
    harness.exit(third, Exit::Normal);
    assert_eq!(harness.stop_all(), [third, second, first]);
    assert!(harness.supervision.is_over());
    let exit = harness.supervision.status(third).unwrap().last_exit.clone();
    assert_eq!(exit, Some(Exit::InitFailed("no".into())));
}

/// R30, R35: what is added later fails alone.
#[test]
fn r30_a_child_that_was_added_later_fails_alone() {
    let mut harness = Harness::new(RestartIntensity::new(0, SECOND));
    let old = harness.up(ChildPolicy::new());
    let new = harness.add(ChildPolicy::new());
    harness.take_directives();
    harness.exit(new, Exit::InitFailed("no".into()));
    harness.exit(new, Exit::Normal);
    assert_eq!(harness.take_text(), "stop 1, ended start failed");
    assert_eq!(harness.supervision.status(new), None);
    assert_eq!(harness.supervision.status(old).unwrap().phase, Phase::Up);
}

/// R33: invariant 2.
#[test]
fn r33_a_word_of_a_former_incarnation_changes_nothing() {
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(ChildPolicy::new());
    let former = Incarnation::FIRST;
    harness.exit(child, Exit::Killed);
    harness.start(child);
    harness.take_directives();
    let before = harness.supervision.status(child).cloned();
    harness.now += SECOND;
    let (supervision, now) = (&mut harness.supervision, harness.now);
    supervision.exited(child, former, Exit::Killed, now);
    supervision.started(child, former, now);
    assert_eq!(supervision.status(child).cloned(), before);
    assert_eq!(harness.take_text(), "");
}

/// R32: the limit is charged when the failure happens, starts included.
#[test]
fn r32_failed_restarts_count_and_waiting_does_not_forgive_them() {
    let intensity = RestartIntensity::new(2, 10 * SECOND);
    let mut harness = Harness::new(intensity);
    let child = harness.up(ChildPolicy::new().backoff(Backoff::fixed(4 * SECOND)));
    harness.exit(child, Exit::Killed);
    for _ in 0..2 {
        harness.wait_out_the_backoff();
        harness.exit(child, Exit::InitFailed("no".into()));
    }
    // Failures at 0, 4 and 8 s; the restarts were due at 4, 8 and never.
    assert_eq!(
        harness.take_text(),
        "start 2, start 3, escalate, gave up, stop 3"
    );
}

/// R32: per child before per supervisor.
#[test]
fn r32_a_child_at_its_own_limit_spares_the_supervisors() {
    let mut harness = Harness::new(RestartIntensity::new(2, 10 * SECOND));
    let own = RestartIntensity::new(1, 10 * SECOND);
    let bad = harness.up(ChildPolicy::new().intensity(own, OnLimit::StopChild));
    let good = harness.add(ChildPolicy::new());
    harness.start(good);
    harness.take_directives();
    harness.crash_and_restart(bad);
    harness.exit(bad, Exit::Killed);
    let directives = harness.take_directives();
    assert_eq!(
        directives[1..],
        [(bad, "gave up".to_owned()), (bad, "stop 2".to_owned())]
    );
    harness.exit(bad, Exit::Normal);
    assert_eq!(harness.take_text(), "ended gave up");
    // One failure of the bad child was charged to the supervisor, so one is left.
    harness.exit(good, Exit::Killed);
    assert_eq!(harness.take_text(), "start 2");
}

/// R32: escalation tells first and then stops everybody.
#[test]
fn r32_a_child_whose_limit_escalates_takes_everybody_down() {
    let mut harness = Harness::new(GENEROUS);
    let own = RestartIntensity::new(0, SECOND);
    let bad = harness.up(ChildPolicy::new().intensity(own, OnLimit::Escalate));
    let [one, two] = [(); 2].map(|()| harness.add(ChildPolicy::new()));
    harness.start(one);
    harness.start(two);
    harness.take_directives();
    harness.exit(bad, Exit::Killed);
    let directives = harness.take_directives();
    let expected = ["escalate", "gave up", "stop 1"].map(|text| (bad, text.to_owned()));
    assert_eq!(directives[..3], expected);
    assert_eq!(directives[3], (two, "stop 1".to_owned()));
    harness.exit(bad, Exit::Normal);
    harness.exit(two, Exit::Normal);
    assert_eq!(harness.stop_all(), [bad, two, one]);
    assert!(harness.supervision.is_over());
}

/// R32: full jitter from the seed, and a calm spell begins the backoff anew.
#[test]
fn r32_a_backoff_grows_until_the_child_was_calm() {
    let backoff = Backoff::exponential(SECOND, 60 * SECOND);
    let policy = ChildPolicy::new().backoff(backoff).calm_after(20 * SECOND);
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(policy);
    let mut waits = Vec::new();
    for uptime in [0, 0, 19, 20, 0] {
        harness.now += uptime * SECOND;
        harness.exit(child, Exit::Killed);
        waits.push(harness.wait_out_the_backoff().as_secs());
        harness.start(child);
    }
    assert_eq!(waits, [1, 2, 4, 1, 2]);
}

/// R32: the same seed waits the same, another one does not.
#[test]
fn r32_jitter_comes_from_the_seed() {
    let backoff = Backoff::fixed(60 * SECOND).jitter(Ratio::percent(100));
    let wait = |seed| {
        let mut harness = Harness::seeded(GENEROUS, seed);
        let child = harness.up(ChildPolicy::new().backoff(backoff));
        harness.exit(child, Exit::Killed);
        harness.wait_out_the_backoff()
    };
    assert_eq!(wait(1), wait(1));
    assert_ne!(wait(1), wait(2));
}

/// R34: reverse start order, one after another, and no restart meanwhile.
#[test]
fn r34_a_shutdown_stops_one_child_after_another_in_reverse() {
    let mut harness = Harness::new(GENEROUS);
    let first = harness.up(ChildPolicy::new().backoff(Backoff::fixed(SECOND)));
    let [second, third] = [(); 2].map(|()| harness.add(ChildPolicy::new()));
    harness.start(second);
    harness.start(third);
    harness.exit(first, Exit::Killed);
    harness.take_directives();
    harness.supervision.shutdown(harness.now);
    assert_eq!(harness.take_directives(), [(third, "stop 1".to_owned())]);
    harness.now += 2 * SECOND;
    harness.supervision.handle_deadline(harness.now);
    assert_eq!(harness.supervision.next_deadline(), None);
    // One that dies before its turn is stopped at once, not restarted.
    harness.exit(second, Exit::Killed);
    assert_eq!(harness.take_directives(), [(second, "stop 1".to_owned())]);
    harness.exit(second, Exit::Normal);
    harness.exit(third, Exit::Normal);
    assert_eq!(harness.stop_all(), [second, third, first]);
    assert!(harness.supervision.is_over());
    assert_eq!(
        harness.supervision.add(ChildPolicy::new(), harness.now),
        None
    );
}

/// R36: a child that the boot waits for may be removed.
#[test]
fn r36_removing_the_awaited_child_lets_the_boot_go_on() {
    let mut harness = Harness::new(GENEROUS);
    let [first, second, third] = [(); 3].map(|()| harness.add(ChildPolicy::new()));
    harness.supervision.boot(harness.now);
    harness.supervision.remove(first, harness.now);
    harness.supervision.remove(second, harness.now);
    harness.take_directives();
    harness.exit(first, Exit::Normal);
    let expected = [
        (first, "ended removed".to_owned()),
        (third, "start 1".to_owned()),
    ];
    assert_eq!(harness.take_directives(), expected);
}

/// R36: unknown ids are told, and an id is never used twice.
#[test]
fn r36_a_removed_child_is_unknown_and_its_id_is_not_reused() {
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(ChildPolicy::new());
    assert!(harness.supervision.remove(child, harness.now));
    harness.exit(child, Exit::Normal);
    assert!(!harness.supervision.remove(child, harness.now));
    assert_ne!(harness.add(ChildPolicy::new()), child);
}

/// R32: time that runs backwards counts as standing still.
#[test]
fn r32_an_earlier_now_counts_as_the_latest_seen() {
    let mut harness = Harness::new(RestartIntensity::new(1, SECOND));
    let child = harness.up(ChildPolicy::new());
    harness.now += 10 * SECOND;
    harness.crash_and_restart(child);
    harness.now -= 9 * SECOND;
    harness.exit(child, Exit::Killed);
    assert_eq!(harness.take_text(), "start 2, escalate, gave up, stop 2");
}

proptest! {
    /// R32: the window slides, as a list of all failures says.
    #[test]
    fn r32_the_intensity_agrees_with_a_list_of_all_failures(
        restarts in 0_u32..5,
        period in 1_u32..20,
        gaps in prop::collection::vec(0_u32..12, 1..60),
    ) {
        let intensity = RestartIntensity::new(restarts, period * SECOND);
        let mut failures = Failures::default();
        let (mut now, mut all) = (epoch(), Vec::new());
        for gap in gaps {
            now += SECOND * gap;
            all.push(now);
            let recent = all.iter().filter(|at| now - **at <= intensity.period()).count();
            prop_assert_eq!(failures.charge(intensity, now), recent > restarts as usize);
        }
    }

    /// R33, R34: invariants 1, 4 and 5, whatever happens in whatever order.
    #[test]
    fn r33_no_history_overlaps_two_incarnations_or_forgets_a_child(
        history in prop::collection::vec((0_u64..6, any_input(), 0_u32..3_000), 1..200),
    ) {
        let mut harness = Harness::new(RestartIntensity::new(6, SECOND));
        for _ in 0..3 {
            harness.add(backing_off());
        }
        harness.supervision.boot(harness.now);
        harness.check();
        for (child, input, millis) in history {
            harness.now += Duration::from_millis(millis.into());
            harness.feed(ChildId::new(child), input);
            harness.check();
            if let (0..300, false) = (millis, harness.shutting) {
                harness.add(backing_off());
                harness.check();
            }
        }
        harness.supervision.shutdown(harness.now);
        harness.shutting = true;
        harness.check();
        harness.stop_the_rest();
        prop_assert!(harness.supervision.is_over());
        prop_assert!(harness.running.is_empty());
        prop_assert_eq!(harness.ended.len() as u64, harness.supervision.added);
    }
}

#[derive(Clone, Copy, Debug)]
enum Input {
    Crashed,
    Deadline,
    Removed,
    Shutdown,
    Started,
}

fn any_input() -> impl proptest::strategy::Strategy<Value = Input> {
    prop_oneof![
        8 => Just(Input::Started),
        8 => Just(Input::Crashed),
        4 => Just(Input::Deadline),
        2 => Just(Input::Removed),
        1 => Just(Input::Shutdown),
    ]
}

fn backing_off() -> ChildPolicy {
    ChildPolicy::new().backoff(Backoff::fixed(SECOND))
}

fn epoch() -> Instant {
    // The one clock reading: any instant will do.
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *EPOCH.get_or_init(now_from_the_outside)
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no other way to an Instant"
)]
fn now_from_the_outside() -> Instant {
    Instant::now()
}

/// A supervision, its clock, and a note of what it asked for.
struct Harness {
    ended: BTreeSet<ChildId>,
    directives: Vec<(ChildId, String)>,
    /// Started and not known to have ended.
    running: BTreeSet<ChildId>,
    now: Instant,
    shutting: bool,
    supervision: Supervision,
}

impl Harness {
    fn new(intensity: RestartIntensity) -> Self {
        Self::seeded(intensity, 7)
    }

    fn seeded(intensity: RestartIntensity, seed: u64) -> Self {
        Self {
            ended: BTreeSet::new(),
            directives: Vec::new(),
            running: BTreeSet::new(),
            now: epoch(),
            shutting: false,
            supervision: Supervision::new(Strategy::OneForOne, intensity, seed),
        }
    }

    /// A running supervision whose only child, added late, is in `phase`.
    fn with_child_in(phase: Phase) -> Self {
        let mut harness = Self::new(GENEROUS);
        harness.supervision.boot(harness.now);
        let child = harness.add(backing_off().restart(Restart::Transient));
        if phase != Phase::Starting {
            harness.start(child);
        }
        match phase {
            Phase::BackingOff => harness.exit(child, Exit::Killed),
            Phase::Stopping => harness.feed(child, Input::Removed),
            Phase::Down => {
                harness.exit(child, Exit::Normal);
                harness.exit(child, Exit::Normal);
            }
            Phase::Starting | Phase::Up => {}
        }
        harness.take_directives();
        harness
    }

    fn only_child(&self) -> ChildId {
        *self.supervision.records.keys().next().unwrap()
    }

    fn add(&mut self, policy: ChildPolicy) -> ChildId {
        self.supervision.add(policy, self.now).unwrap()
    }

    /// Adds a child to a supervision that has booted, and has it come up.
    fn up(&mut self, policy: ChildPolicy) -> ChildId {
        self.supervision.boot(self.now);
        let child = self.add(policy);
        self.start(child);
        self.take_directives();
        child
    }

    fn start(&mut self, child: ChildId) {
        let incarnation = self.incarnation(child);
        self.supervision.started(child, incarnation, self.now);
    }

    fn exit(&mut self, child: ChildId, exit: Exit) {
        let incarnation = self.incarnation(child);
        self.supervision.exited(child, incarnation, exit, self.now);
    }

    fn incarnation(&self, child: ChildId) -> Incarnation {
        let status = self.supervision.status(child);
        status.map_or(Incarnation::FIRST, |status| status.incarnation)
    }

    fn crash_and_restart(&mut self, child: ChildId) {
        self.exit(child, Exit::Killed);
        self.start(child);
    }

    fn wait_out_the_backoff(&mut self) -> Duration {
        let until = self.supervision.next_deadline().unwrap();
        let waited = until - self.now;
        self.supervision.handle_deadline(until - SECOND / 1_000);
        assert_eq!(
            self.supervision.next_deadline(),
            Some(until),
            "early is harmless"
        );
        self.now = until;
        self.supervision.handle_deadline(until);
        self.supervision.handle_deadline(until);
        waited
    }

    fn feed(&mut self, child: ChildId, input: Input) {
        match input {
            Input::Crashed => {
                self.running.remove(&child);
                self.exit(child, Exit::Killed);
            }
            Input::Deadline => {
                let deadline = self.supervision.next_deadline().unwrap_or(self.now);
                self.now = self.now.max(deadline);
                self.supervision.handle_deadline(self.now);
            }
            Input::Removed => {
                self.supervision.remove(child, self.now);
            }
            Input::Shutdown => {
                self.shutting = true;
                self.supervision.shutdown(self.now);
            }
            Input::Started => self.start(child),
        }
    }

    /// Stops whoever is asked to stop, until nobody is; returns all who ended.
    fn stop_all(&mut self) -> Vec<ChildId> {
        let mut ended = Vec::new();
        while let Some(directive) = self.supervision.poll_directive() {
            match directive {
                Directive::Stop { child, .. } => self.exit(child, Exit::Normal),
                Directive::Ended { child, .. } => ended.push(child),
                other => panic!("{other:?} while all were being stopped"),
            }
        }
        ended
    }

    /// Notes what is asked for, and holds it against the invariants.
    fn check(&mut self) {
        while let Some(directive) = self.supervision.poll_directive() {
            match directive {
                Directive::Start { child, .. } => {
                    assert!(!self.shutting, "a start after the shutdown");
                    assert!(self.running.insert(child), "two incarnations at once");
                }
                Directive::Ended { child, .. } => {
                    assert!(!self.running.contains(&child), "ended while it runs");
                    assert!(self.ended.insert(child), "ended twice");
                }
                Directive::Escalate { .. } => self.shutting = true,
                Directive::GaveUp { .. } | Directive::Stop { .. } => {}
            }
        }
    }

    fn stop_the_rest(&mut self) {
        for child in (0..self.supervision.added).rev().map(ChildId::new) {
            self.feed(child, Input::Crashed);
            self.feed(child, Input::Crashed);
            self.check();
        }
    }

    fn take_directives(&mut self) -> Vec<(ChildId, String)> {
        while let Some(directive) = self.supervision.poll_directive() {
            self.directives.push(match directive {
                Directive::Start { child, incarnation } => (child, format!("start {incarnation}")),
                Directive::Stop { child, incarnation } => (child, format!("stop {incarnation}")),
                Directive::GaveUp { child } => (child, "gave up".to_owned()),
                Directive::Escalate { child } => (child, "escalate".to_owned()),
                Directive::Ended { child, why } => (child, format!("ended {why}")),
            });
        }
        std::mem::take(&mut self.directives)
    }

    fn take_text(&mut self) -> String {
        let texts: Vec<_> = self
            .take_directives()
            .into_iter()
            .map(|(_, said)| said)
            .collect();
        texts.join(", ")
    }
}
