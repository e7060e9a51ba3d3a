use tokio::runtime::Runtime;

use super::{INSTANCES, all_at_once, crash, memory, one_by_one, report};
use crate::rows::Row;
use crate::table::MEMORY;
use crate::trees::{Dynamic, Static, Tree};

pub(super) fn add(rows: &mut Vec<Row>) {
    rows.push(Row::one(MEMORY, CHILD, |_, _| memory(CHILD)));
    rows.push(crash::<Static>("ractor-supervisor"));
    rows.push(all_at_once::<Static>("ractor-supervisor"));
    rows.push(one_by_one::<Dynamic>("ractor-supervisor"));
}

pub(super) fn memory_of(runtime: &Runtime) {
    report(|| runtime.block_on(Dynamic::start(INSTANCES)));
}

pub(super) const CHILD: &str = "a child of ractor-supervisor";
