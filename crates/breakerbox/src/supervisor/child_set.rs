use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{OnLimit, RestartIntensity, Strategy};

use super::supervisor_child::SupervisorChild;
use super::tasked::Slow;
use super::{AddError, ChildError, ChildSpec, Departure, RemoveError, Supervisor, SupervisorSpec};

/// A handle on a set: children of one recipe, added while the program runs.
///
/// Clones are handles on the same set. It is made by [`ChildSpec::set`] and can be
/// used while the supervisor that its spec was given to has it up.
pub struct ChildSet<T> {
    make: Arc<dyn Fn(T) -> ChildSpec + Send + Sync>,
    set: Arc<SupervisorChild>,
}

impl ChildSpec {
    /// A set: many children of one recipe, one for each argument that is added.
    ///
    /// `make` gives the child for an argument; its name is the key, unique in the
    /// set. There are at most `maximum` at a time, those that wait for a restart
    /// included. A child that ends for good leaves the set. Unless it has a limit
    /// of its own, it is given up at the fourth failure in 5 seconds; that is
    /// nobody else's business. The set is stopped in the reverse order of adding.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{CancellationToken, ChildSpec, Strategy, SupervisorSpec};
    ///
    /// async fn consume(partition: u32, stop: CancellationToken) -> Result<(), std::io::Error> {
    ///     stop.cancelled().await;
    ///     println!("{partition} is done");
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (spec, consumers) = ChildSpec::set("consumers", 100, |partition: u32| {
    ///     ChildSpec::task(partition.to_string(), move |stop| consume(partition, stop))
    /// });
    /// let orders = SupervisorSpec::new("orders", Strategy::OneForOne).child(spec).start().await?;
    /// for partition in 0..3 {
    ///     consumers.add(partition).await?;
    /// }
    /// consumers.remove("1").await?;
    /// assert_eq!(consumers.supervisor()?.snapshot().children.len(), 2);
    /// # orders.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set<T>(
        name: impl Into<Arc<str>>,
        maximum: usize,
        make: impl Fn(T) -> Self + Send + Sync + 'static,
    ) -> (Self, ChildSet<T>) {
        let name = name.into();
        let named = Arc::clone(&name);
        let set = Arc::new(SupervisorChild::set(move || {
            SupervisorSpec::new(Arc::clone(&named), Strategy::OneForOne)
                .intensity(RestartIntensity::new(u32::MAX, Duration::from_secs(1)))
                .set_of(maximum)
        }));
        let handle = ChildSet {
            make: Arc::new(make),
            set: Arc::clone(&set),
        };
        (Self::of_supervisor(name, set), handle)
    }
}

impl<T> ChildSet<T> {
    /// Makes a child for this argument, and returns when it is up.
    ///
    /// # Errors
    ///
    /// When the set is full or not up, its key is taken, or it does not come up.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the child back.
    ///
    /// # Panics
    ///
    /// When the function that makes the child does.
    pub async fn add(&self, argument: T) -> Result<(), AddError> {
        let mut child = (self.make)(argument);
        child.policy = child
            .policy
            .or_intensity(PER_CHILD, OnLimit::StopChild)
            .side_by_side();
        match self.set.supervisor() {
            Some(supervisor) => supervisor.add(child).await,
            None => Err(AddError::Ended),
        }
    }

    /// Stops the child of this key, and returns when it is gone.
    ///
    /// # Errors
    ///
    /// When there is none, or the set is not up.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not keep the child.
    pub async fn remove(&self, key: &str) -> Result<Departure, RemoveError> {
        match self.set.supervisor() {
            Some(supervisor) => supervisor.remove(key).await,
            None => Err(RemoveError::Ended),
        }
    }

    /// The supervisor of the set, to inspect it and to find its children.
    ///
    /// # Errors
    ///
    /// When it has not come up yet.
    pub fn supervisor(&self) -> Result<Supervisor, ChildError> {
        let child = "set".to_owned();
        self.set.supervisor().ok_or(ChildError::Starting { child })
    }
}

impl<T> Clone for ChildSet<T> {
    fn clone(&self) -> Self {
        Self {
            make: Arc::clone(&self.make),
            set: Arc::clone(&self.set),
        }
    }
}

impl<T> fmt::Debug for ChildSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSet").finish_non_exhaustive()
    }
}

/// As much as a supervisor bears of all its children, unless it is set.
const PER_CHILD: RestartIntensity = RestartIntensity::new(3, Duration::from_secs(5));
