use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::Failure;
use crate::orders::{Mix, Orders};
use crate::storefront::{NORTH, SOUTH};

/// What the outage came to.
pub(crate) struct Summary {
    pub(crate) orders: Orders,
    /// From the kill to the opened breaker.
    pub(crate) to_detect: Duration,
    /// From "healthy again" to the first answer after the breaker closed.
    pub(crate) to_recover: Duration,
}

impl Summary {
    /// An error unless every order was answered.
    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        let Orders { answers, placed } = &self.orders;
        let failed = answers
            .iter()
            .find_map(|answer| answer.quote.as_ref().err());
        if let Some(first) = failed {
            return Err(format!("not every order was answered; the first: {first}").into());
        }
        match placed - answers.len() {
            0 => Ok(()),
            lost => Err(format!("not every order was answered: {lost} got lost").into()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "summary")?;
        for (what, value, meaning) in self.counts().into_iter().chain(self.times()) {
            writeln!(
                f,
                "{}",
                format!("  {what:<16}  {value:>6}  {meaning}").trim_end()
            )?;
        }
        Ok(())
    }
}

/// What it is, its value, and what a reader may want to know besides.
type Row = (&'static str, String, &'static str);

impl Summary {
    fn counts(&self) -> Vec<Row> {
        let Orders { answers, placed } = &self.orders;
        let Mix {
            failed,
            repeated,
            served,
            undiscounted,
        } = Mix::of(answers);
        let of = |map: &BTreeMap<_, usize>, name| map.get(name).copied().unwrap_or(0).to_string();
        let in_vain = "asked one server in vain, answered by the other";
        vec![
            ("requests", placed.to_string(), ""),
            ("served by north", of(&served, NORTH), ""),
            ("served by south", of(&served, SOUTH), ""),
            ("failed", failed.to_string(), ""),
            ("asked twice", repeated.to_string(), in_vain),
            ("without discount", undiscounted.to_string(), ""),
        ]
    }

    fn times(&self) -> Vec<Row> {
        let slowest = self.orders.answers.iter().map(|answer| answer.took).max();
        let detected = "from kill -9 to north's open breaker";
        let recovered = "from healthy again to north's first answer after closing";
        vec![
            ("slowest answer", span(slowest.unwrap_or_default()), ""),
            ("time to detect", span(self.to_detect), detected),
            ("time to recover", span(self.to_recover), recovered),
        ]
    }
}

fn span(span: Duration) -> String {
    if span < Duration::from_secs(1) {
        format!("{}ms", span.as_millis())
    } else {
        format!("{:.1}s", span.as_secs_f64())
    }
}
