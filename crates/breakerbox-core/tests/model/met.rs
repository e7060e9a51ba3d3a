use std::fmt;

use crate::step::History;

macro_rules! met {
    ($($name:ident = $promise:literal $words:literal,)*) => {
        /// What a history can meet of the promises.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Met { $($name,)* }

        impl Met {
            pub(crate) const ALL: [Self; [$($promise),*].len()] = [$(Self::$name),*];

            /// The promise, and what of it.
            const fn words(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($promise, $words),)* }
            }
        }
    };
}

met! {
    ClosedAdmits = "R01" "Closed admits",
    OpenRejects = "R01" "Open rejects",
    ProbeAdmitted = "R01" "HalfOpen admits a probe",
    ProbesOut = "R01" "HalfOpen rejects because its probes are out or succeeded",
    PlaceHandedBack = "R01" "an ignored probe hands its place back",
    AdmittedByStanding = "R01" "admitted or rejected by the standing answer",
    GenerationBegan = "R02" "a change of state began a generation",
    LateChangedNothing = "R02" "a late verdict changed nothing",
    AbandonedIgnored = "R03" "abandoned and ignored",
    AbandonedFailed = "R03" "abandoned and failed",
    FailureHeld = "R04" "a failure that opens nothing",
    SuccessNotAsked = "R04" "a success where the policy would say open, and is not asked",
    TrippedInRow = "R04" "opened by failures in a row",
    TrippedByRate = "R04" "opened by a failure rate",
    TrippedByCustom = "R04" "opened by a custom policy",
    ProbeFailed = "R05" "a failed probe opened",
    ProbesClosed = "R05" "successful probes closed",
    ProbeOverdue = "R06" "an overdue probe opened",
    ProbesNeverOverdue = "R06" "a probe that is out for half a minute, where there is no deadline",
    OnTheInstant = "R07" "a deadline that is handled at its very instant",
    OneEarly = "R07" "an input one nanosecond before a deadline",
    CaughtUp = "R07" "several changes caught up with at once",
    OpenedLonger = "R08" "an opening that lasts longer than the one before",
    OpeningForgotten = "R08" "an opening forgotten by a healthy span",
    Jittered = "R08" "an opening that jitter shortened",
    PushedBack = "R08" "an opening lengthened by retry_after",
    PushBackCapped = "R08" "a retry_after that was capped",
    ComesBack = "R08" "a rejection that says when to come back",
    FixedForgot = "R09" "a fixed window ended with verdicts inside",
    FixedBegunByCall = "R09" "a fixed window begun by a call",
    FixedBegunByVerdict = "R09" "a fixed window begun by a verdict",
    RollingForgot = "R09" "a rolling window let go of some verdicts and kept others",
    LastForgot = "R09" "a window of the last calls let go of one",
    UnboundedKept = "R09" "an unbounded window held more than ten verdicts",
    HalfOpenCounted = "R09" "a verdict counted in HalfOpen",
    StreakShortened = "R10" "a streak of which a part has left the window",
    OpenKeptCounts = "R11" "a transition with its evidence",
    OpenCountsOn = "R11" "a verdict added to those that an Open breaker keeps",
    WentBack = "R13" "an instant before one that was told already",
    ForcedOpen = "R16" "forced open where the state would admit",
    ForcedClosed = "R16" "forced closed where the state would reject",
    ForcedProbe = "R16" "a probe that is forced closed",
    JudgedNothing = "R16" "a verdict in HalfOpen that judges nothing",
    ChangedBeneath = "R16" "a change of state beneath an override",
    Expired = "R16" "an override that expired",
    KeptCounts = "R17" "reconfigured with the same window, and counts kept",
    NewWindow = "R17" "reconfigured with another window, which begins empty",
    ReconfiguredHalfOpen = "R17" "reconfigured in HalfOpen with probes out",
    ReconfiguredOpen = "R17" "reconfigured in Open",
    Contradiction = "R17" "a contradiction refused",
}

/// How often each was met.
pub(crate) struct Tally {
    histories: u64,
    pub(crate) steps: u64,
    times: [u64; Met::ALL.len()],
}

impl Tally {
    pub(crate) const EMPTY: Self = Self {
        histories: 0,
        steps: 0,
        times: [0; Met::ALL.len()],
    };

    pub(crate) fn add(&mut self, history: &History, met: &[Met]) {
        self.histories += 1;
        self.steps += history.steps.len() as u64;
        for met in met {
            self.times[*met as usize] += 1;
        }
    }

    pub(crate) fn of(&self, met: Met) -> u64 {
        self.times[met as usize]
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} steps in {} histories", self.steps, self.histories)?;
        for met in Met::ALL {
            let (promise, words) = met.words();
            writeln!(f, "{promise} {:>9} times {words}", self.of(met))?;
        }
        Ok(())
    }
}
