use super::*;

const ORDINARY: ChildPolicy = ChildPolicy::new();
const SIGNIFICANT: ChildPolicy = ORDINARY.restart(Restart::Transient).significant();

/// R32: as in OTP 24, which end of which child shuts the supervision down.
#[test]
fn r32_significant_children_shut_their_supervision_down() {
    let table = [
        (AutoShutdown::AllSignificant, [false, false, true]),
        (AutoShutdown::AnySignificant, [false, true, true]),
        (AutoShutdown::Never, [false, false, false]),
    ];
    for (auto_shutdown, answers) in table {
        let supervision =
            Supervision::new(Strategy::OneForOne, GENEROUS, 7).auto_shutdown(auto_shutdown);
        let ordinary = ORDINARY.restart(Restart::Transient);
        let (mut harness, children) =
            Harness::all_up(supervision, [ordinary, SIGNIFICANT, SIGNIFICANT]);
        for (child, answer) in children.into_iter().zip(answers) {
            harness.end(child);
            harness.run_to_rest();
            let is_over = harness.supervision.is_over();
            assert_eq!(is_over, answer, "{auto_shutdown:?} {child:?}");
        }
    }
}

/// R32, R34: the cause is told first, then all are stopped in reverse order.
#[test]
fn r32_an_automatic_shutdown_names_its_cause_and_is_in_order() {
    let mut harness = any([SIGNIFICANT, ORDINARY, ORDINARY]);
    harness.end(ChildId::new(0));
    assert_eq!(harness.said(), "a auto shutdown, stop a1, stop c1");
    let rest = "a ended finished, c ended shut down, stop b1, b ended shut down";
    assert_eq!(harness.run_to_rest(), rest);
    assert!(harness.supervision.is_over());
}

/// R32: only a child that ends by itself counts, and a restart is no end.
#[test]
fn r32_a_significant_child_that_is_stopped_or_restarted_ends_nobody() {
    let significant = ChildId::new(1);
    let inputs: [fn(&mut Harness, ChildId); 4] = [
        |harness, child| harness.crash(child),
        |harness, child| assert!(harness.stop(child)),
        |harness, child| assert!(harness.remove(child)),
        |harness, child| assert!(harness.restart(child)),
    ];
    for input in inputs {
        let mut harness = any([ORDINARY, SIGNIFICANT, ORDINARY]);
        input(&mut harness, significant);
        let said = harness.run_to_rest();
        assert!(!said.contains("auto shutdown"), "{said}");
    }
}

/// R32: a temporary child that is stopped with its group did not end by itself.
#[test]
fn r32_a_group_restart_is_no_end_of_its_significant_children() {
    let temporary = ORDINARY.restart(Restart::Temporary).significant();
    let supervision = Supervision::new(Strategy::OneForAll, GENEROUS, 7)
        .auto_shutdown(AutoShutdown::AnySignificant);
    let (mut harness, [a, ..]) = Harness::all_up(supervision, [ORDINARY, temporary, SIGNIFICANT]);
    harness.crash(a);
    assert_eq!(
        harness.run_to_rest(),
        "end c1, stop b1, b ended finished, start a2, start c2"
    );
}

/// R32: a permanent child ends by itself only where it is given up.
#[test]
fn r32_a_significant_child_that_is_given_up_has_ended() {
    let none = RestartIntensity::new(0, SECOND);
    let permanent = ORDINARY.significant();
    let mut harness = any([
        permanent.intensity(none, OnLimit::StopChild),
        ORDINARY,
        ORDINARY,
    ]);
    harness.end(ChildId::new(0));
    assert_eq!(
        harness.said(),
        "a gave up, a auto shutdown, stop a1, stop c1"
    );
}

/// R32: an escalation is told once, and is not an automatic shutdown as well.
#[test]
fn r32_an_escalation_is_no_automatic_shutdown() {
    let none = RestartIntensity::new(0, SECOND);
    let policy = ORDINARY.significant().intensity(none, OnLimit::Escalate);
    let mut harness = any([policy, ORDINARY, ORDINARY]);
    harness.crash(ChildId::new(0));
    assert_eq!(harness.said(), "a escalate, a gave up, stop a1, stop c1");
}

/// R32: a significant child that is about to start again is not gone.
#[test]
fn r32_a_significant_child_that_waits_for_its_restart_is_left() {
    let supervision = Supervision::new(Strategy::OneForOne, GENEROUS, 7)
        .auto_shutdown(AutoShutdown::AllSignificant);
    let waits = SIGNIFICANT.backoff(Backoff::fixed(SECOND));
    let (mut harness, [a, b]) = Harness::all_up(supervision, [waits, SIGNIFICANT]);
    harness.crash(a);
    harness.end(b);
    assert_eq!(harness.said(), "stop b1");
}

fn any(policies: [ChildPolicy; 3]) -> Harness {
    let supervision = Supervision::new(Strategy::OneForOne, GENEROUS, 7)
        .auto_shutdown(AutoShutdown::AnySignificant);
    Harness::all_up(supervision, policies).0
}
