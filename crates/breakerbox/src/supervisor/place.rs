use std::sync::Arc;

use super::link::Link;
use super::path;

/// The place of a supervisor in its tree, as its log lines name it.
///
/// Its path is put together for each line: kept as text it would cost a deep tree the
/// square of its depth.
#[derive(Debug)]
pub(crate) struct Place {
    /// The place above, and the name that this supervisor has there.
    above: Option<(Link<Self>, Arc<str>)>,
    name: Arc<str>,
}

impl Place {
    /// The place of a supervisor that no other one has as its child.
    pub(crate) const fn root(name: Arc<str>) -> Self {
        Self { above: None, name }
    }

    /// The place of the same supervisor as the child `child` of the one above.
    pub(crate) fn below(&self, above: &Arc<Self>, child: &Arc<str>) -> Self {
        Self {
            above: Some((Link::new(Arc::clone(above)), Arc::clone(child))),
            name: Arc::clone(&self.name),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path of a child from the root, as in "shop/orders/consumer".
    pub(crate) fn path_of(&self, child: &str) -> Arc<str> {
        let mut names = Vec::new();
        let mut place = self;
        while let Some((above, name)) = &place.above {
            names.push(&**name);
            place = above;
        }
        names.push(&place.name);
        path::through(&names, &path::escape(child))
    }
}
