use std::sync::Arc;

use breakerbox_core::Exit;
use tokio::sync::oneshot;

use super::super::StartError;
use super::super::runnable::StopResult;
use super::{End, Report, Stopped};

/// Collects what a supervisor's report says, and answers the caller of `start`.
pub(crate) struct ReportBuilder {
    /// Who waits for the boot.
    booted: Option<oneshot::Sender<Result<(), StartError>>>,
    /// Why all are stopped, if not from outside.
    end: Option<End>,
    stopped: Vec<Stopped>,
}

impl ReportBuilder {
    pub(crate) const fn new(booted: oneshot::Sender<Result<(), StartError>>) -> Self {
        Self {
            booted: Some(booted),
            end: None,
            stopped: Vec::new(),
        }
    }

    pub(crate) fn booted(&mut self) {
        if let Some(booted) = self.booted.take() {
            let _gave_up_waiting = booted.send(Ok(()));
        }
    }

    pub(crate) fn escalated(&mut self, child: Arc<str>, exit: Exit) {
        self.end = Some(End::Escalated { child, exit });
    }

    pub(crate) fn finished(&mut self, child: Arc<str>) {
        self.end = Some(End::Finished { child });
    }

    /// Notes a child that was stopped, after those that were below it.
    pub(crate) fn stopped(&mut self, child: Arc<str>, result: &StopResult) {
        let below = result.below.iter().map(|below| below.below(&child));
        self.stopped.extend(below);
        let departure = result.departure;
        self.stopped.push(Stopped { child, departure });
    }

    /// Answers who still waits for the boot, and returns the report.
    pub(crate) fn finish(&mut self) -> Report {
        if let Some(booted) = self.booted.take() {
            let error = match &self.end {
                Some(End::Escalated { child, exit }) => StartError::Child {
                    child: child.to_string(),
                    exit: exit.clone(),
                },
                _ => StartError::Interrupted,
            };
            let _gave_up_waiting = booted.send(Err(error));
        }
        Report {
            end: self.end.take().unwrap_or(End::ShutDown),
            stopped: std::mem::take(&mut self.stopped),
        }
    }
}
