use std::sync::Arc;

use super::path;

/// The place of a supervisor in its tree, as its log lines name it.
#[derive(Debug)]
pub(crate) struct Place {
    name: Arc<str>,
    path: Arc<str>,
}

impl Place {
    /// The place of a supervisor that no other one has as its child.
    pub(crate) fn root(name: Arc<str>) -> Self {
        let path = path::of(&name);
        Self { name, path }
    }

    /// The place of the same supervisor as the child `child` of the one above.
    pub(crate) fn below(&self, above: &Self, child: &str) -> Self {
        Self {
            name: Arc::clone(&self.name),
            path: Arc::from(above.path_of(child)),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path of a child from the root, as in "shop/orders/consumer".
    pub(crate) fn path_of(&self, child: &str) -> String {
        format!("{}/{}", self.path, path::escape(child))
    }
}
