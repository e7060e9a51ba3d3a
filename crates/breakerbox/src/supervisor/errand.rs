use tokio::task::JoinHandle;

/// A task that is aborted when nobody holds it any more.
pub(super) struct Errand {
    task: JoinHandle<()>,
}

impl Errand {
    pub(super) fn run(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            task: tokio::spawn(task),
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.task.abort();
    }
}
