use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A link of a chain as long as a tree is deep.
///
/// Dropping the last owner of a chain of plain `Arc`s calls the drop of each link from
/// that of the one before, which ends the stack of a deep tree.
pub(super) struct Link<T: 'static> {
    /// None while it is dropped.
    to: Option<Arc<T>>,
}

impl<T> Link<T> {
    pub(super) const fn new(to: Arc<T>) -> Self {
        Self { to: Some(to) }
    }
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        let to = self.to.clone();
        Self { to }
    }
}

impl<T: fmt::Debug> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl<T> Deref for Link<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.to.as_ref().expect("only drop takes it")
    }
}

impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        drop_flat(self.to.take());
    }
}

/// Drops a value now, or, within another such drop, as soon as that has returned.
pub(super) fn drop_flat<T: 'static>(value: T) {
    let mut value = Some(value);
    let within_another = LATER.try_with(|later| match &mut *later.borrow_mut() {
        Some(later) => {
            later.push(Box::new(value.take()));
            true
        }
        none => {
            *none = Some(Vec::new());
            false
        }
    });
    if within_another == Ok(false) {
        let _also_if_it_panics = Drain;
        drop(value);
    }
}

/// Drops what was left for later when it is dropped.
struct Drain;

impl Drop for Drain {
    fn drop(&mut self) {
        while let Some(next) = LATER.with_borrow_mut(|later| later.as_mut()?.pop()) {
            drop(next);
        }
        LATER.set(None);
    }
}

thread_local! {
    /// What waits for a drop to return; None while there is no such drop.
    static LATER: RefCell<Option<Vec<Box<dyn Any>>>> = const { RefCell::new(None) };
}
