use std::fmt::Display;
use std::panic;
use std::time::{Duration, Instant};

use breakerbox::{Event, PoolEvent, Reason, SupervisorEvent, Transition};

/// What a person watches: a line for each thing that happens, and when.
#[derive(Clone, Copy)]
pub(crate) struct Timeline {
    began: Instant,
}

impl Timeline {
    pub(crate) fn begin() -> Self {
        let timeline = Self {
            began: Instant::now(),
        };
        timeline.show_panics();
        timeline
    }

    pub(crate) fn say(&self, who: &str, what: impl Display) {
        println!("{}", self.line(who, what));
    }

    pub(crate) fn breaker(&self, event: &Event) {
        let who = format!("breaker {}", event.breaker().unwrap_or("events"));
        match event {
            Event::Changed { transition, .. } => self.say(&who, self.change(transition)),
            Event::Restarted { incarnation, .. } => {
                self.say(
                    &who,
                    format_args!("its owner was restarted, incarnation {incarnation}"),
                );
            }
            Event::Orphaned { choice, .. } => {
                self.say(
                    &who,
                    format_args!("its owner is gone for good; callers get: {choice:?}"),
                );
            }
            other => self.say(&who, format_args!("{other:?}")),
        }
    }

    /// How the load is divided changes too often to tell.
    pub(crate) fn pool(&self, event: &PoolEvent) {
        if let PoolEvent::Changed { endpoint, from, to } = event {
            self.say("pool prices", format_args!("{endpoint}: {from} -> {to}"));
        }
    }

    pub(crate) fn worker(&self, event: &SupervisorEvent) {
        match event {
            SupervisorEvent::Exited {
                child,
                exit,
                incarnation,
            } => {
                self.say(
                    &worker(child),
                    format_args!("incarnation {incarnation} {exit}"),
                );
            }
            SupervisorEvent::Restarted { child, incarnation } => {
                self.say(
                    &worker(child),
                    format_args!("restarted in place, incarnation {incarnation}"),
                );
            }
            SupervisorEvent::Stopped { child, why } => self.say(&worker(child), why),
            other => self.say("workers", format_args!("{other:?}")),
        }
    }

    fn change(&self, transition: &Transition) -> String {
        let Transition {
            from,
            to,
            reason,
            evidence,
            until,
            ..
        } = transition;
        let mut change = format!("{from} -> {to}: {reason}");
        if *reason != Reason::OpenElapsed {
            change += &format!(" ({evidence})");
        }
        if let Some(until) = until {
            let until = until.saturating_duration_since(self.began);
            change += &format!(", until {}", seconds(until));
        }
        change
    }

    /// Puts panics on the timeline, on stderr, in place of three lines each.
    fn show_panics(self) {
        panic::set_hook(Box::new(move |panic| {
            let panic = panic.to_string().replace('\n', " ");
            eprintln!("{}", self.line("panic", panic));
        }));
    }

    fn line(&self, who: &str, what: impl Display) -> String {
        let at = seconds(self.began.elapsed());
        format!("{at:>6}  {who:<20}  {what}")
    }
}

fn worker(child: &str) -> String {
    format!("worker {child}")
}

/// As `3.2s`.
pub(crate) fn seconds(span: Duration) -> String {
    format!("{:.1}s", span.as_secs_f64())
}
