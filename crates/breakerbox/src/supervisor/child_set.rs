use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{RestartIntensity, Strategy};

use super::child_path::ChildPath;
use super::message::SupervisorMessage;
use super::runnable::Runnable;
use super::supervisor_child::SupervisorChild;
use super::supervisor_path::SupervisorPath;
use super::{
    AddError, Child, ChildError, ChildKind, ChildSpec, Departure, RemoveError, Supervisor,
    SupervisorSpec,
};

/// A handle on a set: children of one recipe, added while the program runs.
///
/// Clones are handles on the same set, and dropping a handle ends nothing.
/// [`ChildSpec::set`] returns a handle together with the spec of the set, and the handle
/// leads to the set of that spec alone. If a supervisor above is restarted, its recipe
/// makes another spec, so find the set by its path there: the handle that
/// [`Supervisor::set`] returns stays good across such restarts.
pub struct ChildSet<T> {
    arguments: PhantomData<fn(T)>,
    name: Arc<str>,
    set: Set,
}

/// The way by which a handle finds its set.
#[derive(Clone)]
enum Set {
    ByPath(Arc<ChildPath>),
    OfSpec(Arc<dyn Runnable>),
}

/// The function that makes the child for an argument.
struct Make<T>(Box<dyn Fn(T) -> ChildSpec + Send + Sync>);

impl ChildSpec {
    /// Makes a set: many children of one recipe, one for each argument that is added.
    ///
    /// `make` returns the child for an argument. The child's name is its key, which is
    /// unique in the set. The set holds at most `maximum` children at a time, including
    /// those that wait for a restart. A child that ends for good leaves the set. Unless a
    /// child has a limit of its own, the set gives up on it at the fourth failure in 5
    /// seconds, and no other child is affected. When the set ends, its children stop side
    /// by side, the latest first, at most 1,000 at a time.
    ///
    /// Children that were added are not there after a restart of the set.
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
    pub fn set<T: 'static>(
        name: impl Into<Arc<str>>,
        maximum: usize,
        make: impl Fn(T) -> Self + Send + Sync + 'static,
    ) -> (Self, ChildSet<T>) {
        let name = name.into();
        let named = Arc::clone(&name);
        let supervisor = move || {
            SupervisorSpec::new(Arc::clone(&named), Strategy::OneForOne)
                .intensity(RestartIntensity::new(u32::MAX, Duration::from_secs(1)))
                .set_of(maximum)
        };
        let make = Arc::new(Make(Box::new(make)));
        let supervisor = SupervisorChild::set(supervisor, make);
        let spec = Self::of_supervisor(name, Arc::new(supervisor));
        let handle = ChildSet {
            arguments: PhantomData,
            name: Arc::clone(&spec.name),
            set: Set::OfSpec(Arc::clone(&spec.runnable)),
        };
        (spec, handle)
    }
}

impl<T: 'static> ChildSet<T> {
    /// Returns a handle on the set that is there, if its children are made from a `T`.
    pub(super) fn at(path: ChildPath) -> Result<Self, ChildError> {
        let entry = path.now();
        let child = entry.name().to_string();
        if entry.runnable().kind() != ChildKind::Set {
            return Err(ChildError::NoSet { child });
        }
        if make_of::<T>(entry.runnable()).is_none() {
            let asked_for = std::any::type_name::<T>();
            return Err(ChildError::OtherArguments { asked_for, child });
        }
        Ok(Self {
            arguments: PhantomData,
            name: Arc::clone(entry.name()),
            set: Set::ByPath(Arc::new(path)),
        })
    }

    /// Makes a child for this argument, and returns a handle on it when it is up.
    ///
    /// # Errors
    ///
    /// Returns [`AddError::Full`] if the set is full, [`AddError::Duplicate`] if the key is
    /// taken, [`AddError::Failed`] if the child does not come up, and [`AddError::Ended`]
    /// if the set is not up, or the set or the child ends before the child is up.
    ///
    /// # Panics
    ///
    /// Panics if the function that makes the child panics.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, dropping it does not take the child back.
    pub async fn add(&self, argument: T) -> Result<Child, AddError> {
        let runnable = self.runnable();
        let (Some(set), Some(make)) = (runnable.supervisor(), make_of(&runnable)) else {
            return Err(AddError::Ended);
        };
        set.add((make.0)(argument)).await
    }
}

impl<T> ChildSet<T> {
    /// Stops the child of this key, and returns when it is gone.
    ///
    /// If the child blocks its thread, this returns [`Departure::Stuck`] a second after
    /// the kill.
    ///
    /// # Errors
    ///
    /// Returns [`RemoveError::Unknown`] if there is no child of this key, and
    /// [`RemoveError::Ended`] if the set is not up or ends first.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, dropping it does not keep the child.
    pub async fn remove(&self, key: &str) -> Result<Departure, RemoveError> {
        let Some(set) = self.runnable().supervisor() else {
            return Err(RemoveError::Ended);
        };
        let removed = set.ask(|reply| SupervisorMessage::Remove(key.to_owned(), reply));
        removed.await.unwrap_or(Err(RemoveError::Ended))
    }

    /// Returns the supervisor of the set, to inspect the set and to find its children.
    ///
    /// Dropping that handle stops nothing.
    ///
    /// # Errors
    ///
    /// Returns [`ChildError::Starting`] if the set has not come up yet.
    pub fn supervisor(&self) -> Result<Supervisor, ChildError> {
        let set = self.runnable().supervisor();
        let child = self.name.to_string();
        let set = set.ok_or(ChildError::Starting { child })?;
        Ok(Supervisor::at(SupervisorPath::to(&set)))
    }

    fn runnable(&self) -> Arc<dyn Runnable> {
        match &self.set {
            Set::ByPath(path) => Arc::clone(path.now().runnable()),
            Set::OfSpec(runnable) => Arc::clone(runnable),
        }
    }
}

/// Returns the function that makes the children of a set.
///
/// None if this is not a set of such arguments, or has ended for good.
fn make_of<T: 'static>(set: &Arc<dyn Runnable>) -> Option<Arc<Make<T>>> {
    set.member_recipe()?.downcast().ok()
}

impl<T> Clone for ChildSet<T> {
    fn clone(&self) -> Self {
        Self {
            arguments: PhantomData,
            name: Arc::clone(&self.name),
            set: self.set.clone(),
        }
    }
}

impl<T> fmt::Debug for ChildSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSet")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
