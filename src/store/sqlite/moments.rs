//! Moments that may be missing: in the tables 0 stands for none.

use crate::model::Time;

/// A moment as it is in a column.
pub(super) fn to_column(time: Option<Time>) -> i64 {
    time.map_or(0, |time| time.0)
}

/// The moment that is in a column.
pub(super) fn from_column(time: i64) -> Option<Time> {
    (time != 0).then_some(Time(time))
}
