use std::sync::Arc;

use breakerbox_core::Exit;
use tokio::sync::oneshot;

use super::super::StartError;
use super::{Departure, End, Report, Stopped};

/// Collects what a supervisor's report says, and answers the caller of `start`.
pub(crate) struct ReportBuilder {
    /// Who waits for the boot.
    booted: Option<oneshot::Sender<Result<(), StartError>>>,
    /// The child because of which all are stopped, and how it failed.
    escalated: Option<(Arc<str>, Exit)>,
    stopped: Vec<Stopped>,
}

impl ReportBuilder {
    pub(crate) const fn new(booted: oneshot::Sender<Result<(), StartError>>) -> Self {
        Self {
            booted: Some(booted),
            escalated: None,
            stopped: Vec::new(),
        }
    }

    pub(crate) fn booted(&mut self) {
        if let Some(booted) = self.booted.take() {
            let _gave_up_waiting = booted.send(Ok(()));
        }
    }

    pub(crate) fn escalated(&mut self, child: Arc<str>, exit: Exit) {
        self.escalated = Some((child, exit));
    }

    pub(crate) const fn has_escalated(&self) -> bool {
        self.escalated.is_some()
    }

    pub(crate) fn stopped(&mut self, child: Arc<str>, departure: Departure) {
        self.stopped.push(Stopped { child, departure });
    }

    /// Answers who still waits for the boot, and returns the report.
    pub(crate) fn finish(&mut self) -> Report {
        if let Some(booted) = self.booted.take() {
            let error = match &self.escalated {
                None => StartError::Interrupted,
                Some((child, exit)) => StartError::Child {
                    child: child.to_string(),
                    exit: exit.clone(),
                },
            };
            let _gave_up_waiting = booted.send(Err(error));
        }
        let end = match self.escalated.take() {
            None => End::ShutDown,
            Some((child, exit)) => End::Escalated { child, exit },
        };
        Report {
            end,
            stopped: std::mem::take(&mut self.stopped),
        }
    }
}
