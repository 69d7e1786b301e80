//! What may stand in keys that are texts, wherever such keys are.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::setting::Rule;
use crate::model::Line;

/// The most bytes of a name that is shown, and of a pattern.
const MAX_SHORT_BYTES: usize = 64;

/// A path.
pub const PATH: Rule = Rule::Text { allowed: "a path", holds: |text| !text.is_empty() && !text.contains('\0') };

/// A pattern by which times are shown.
pub const TIMESTAMP: Rule = Rule::Text {
    allowed: "a strftime pattern of 1 to 64 bytes such as \"%Y-%m-%d %H:%M:%S\"",
    holds: |text| !text.is_empty() && is_short(text) && is_timestamp(text),
};

/// Whether this is one short line that may be shown anywhere.
pub fn is_short(text: &str) -> bool {
    text.len() <= MAX_SHORT_BYTES && Line::parse(text).is_ok()
}

fn is_timestamp(pattern: &str) -> bool {
    strtime::format(pattern, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_times_are_tried() {
        for good in ["%Y-%m-%d %H:%M:%S", "%H:%M", "%c", "then"] {
            assert!(is_timestamp(good), "{good}");
        }
        for bad in ["%", "%!", "%Y-%"] {
            assert!(!is_timestamp(bad), "{bad}");
        }
    }
}
