//! How fast breakerbox is, beside its peers, in one run.
//!
//! A number of nanoseconds means little by itself: machines differ, and a shared
//! one differs from minute to minute. So every row is measured in the same
//! rounds as its peers and as the bare call, and what is claimed is the ratio.
//!
//! Method and results are in `docs/performance.md` of the repository.

pub mod crash_log;
pub mod guards;
pub mod machine;
pub mod rows;
pub mod stopwatch;
pub mod table;
pub mod trees;
pub mod work;
