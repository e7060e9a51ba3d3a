use std::sync::Arc;

use breakerbox_core::Exit;
use tokio::sync::oneshot;

use super::{Departure, End, Report, StartError, Stopped};

/// What a supervisor will say of its beginning and of its end.
pub(super) struct Chronicle {
    /// Because of whom all are stopped.
    escalated: Option<(Arc<str>, Exit)>,
    /// Who waits for the boot.
    founded: Option<oneshot::Sender<Result<(), StartError>>>,
    stopped: Vec<Stopped>,
}

impl Chronicle {
    pub(super) const fn new(founded: oneshot::Sender<Result<(), StartError>>) -> Self {
        Self {
            escalated: None,
            founded: Some(founded),
            stopped: Vec::new(),
        }
    }

    pub(super) fn booted(&mut self) {
        if let Some(founded) = self.founded.take() {
            let _gave_up_waiting = founded.send(Ok(()));
        }
    }

    pub(super) fn escalated(&mut self, child: Arc<str>, exit: Exit) {
        self.escalated = Some((child, exit));
    }

    pub(super) const fn has_escalated(&self) -> bool {
        self.escalated.is_some()
    }

    pub(super) fn stopped(&mut self, child: Arc<str>, departure: Departure) {
        self.stopped.push(Stopped { child, departure });
    }

    /// Answers who still waits for the boot, and writes the report.
    pub(super) fn close(&mut self) -> Report {
        if let Some(founded) = self.founded.take() {
            let error = match &self.escalated {
                None => StartError::Interrupted,
                Some((child, exit)) => StartError::Child {
                    child: child.to_string(),
                    exit: exit.clone(),
                },
            };
            let _gave_up_waiting = founded.send(Err(error));
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
