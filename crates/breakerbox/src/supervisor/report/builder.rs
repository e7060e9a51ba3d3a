use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::runnable::StopResult;
use super::super::{StartError, path};
use super::End;
use super::account::{Account, Branch};

/// Collects what a supervisor's report says, and answers the caller of `start`.
pub(crate) struct ReportBuilder {
    /// Who waits for the boot.
    booted: Option<oneshot::Sender<Result<(), StartError>>>,
    stopped: Vec<Branch>,
}

impl ReportBuilder {
    pub(crate) const fn new(booted: oneshot::Sender<Result<(), StartError>>) -> Self {
        Self {
            booted: Some(booted),
            stopped: Vec::new(),
        }
    }

    pub(crate) fn booted(&mut self) {
        if let Some(booted) = self.booted.take() {
            let _gave_up_waiting = booted.send(Ok(()));
        }
    }

    /// Notes a child that was stopped.
    pub(crate) fn stopped(&mut self, child: &Arc<str>, result: &StopResult) {
        self.stopped.push(Branch {
            below: result.below.clone(),
            child: path::of(child),
            departure: result.departure,
        });
    }

    /// Answers who still waits for the boot, and returns the account; without a reason
    /// why it ended by itself, it was shut down.
    pub(in super::super) fn finish(&mut self, end: Option<End>) -> Account {
        if let Some(booted) = self.booted.take() {
            let error = match &end {
                Some(End::Escalated { child, exit }) => StartError::Child {
                    child: child.to_string(),
                    exit: exit.clone(),
                },
                _ => StartError::Interrupted,
            };
            let _gave_up_waiting = booted.send(Err(error));
        }
        let end = end.unwrap_or(End::ShutDown);
        Account::new(end, std::mem::take(&mut self.stopped))
    }
}
