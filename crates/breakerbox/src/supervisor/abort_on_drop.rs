use tokio::task::JoinHandle;

/// A task that is aborted when this is dropped.
pub(super) struct AbortOnDrop {
    task: JoinHandle<()>,
}

impl AbortOnDrop {
    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            task: tokio::spawn(task),
        }
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.task.abort();
    }
}
