use super::Row;
pub(super) fn add(_rows: &mut Vec<Row>) {}
/// Prints how much memory instances of this kind take.
pub fn memory_of(_kind: &str) {}
