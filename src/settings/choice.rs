//! Keys that are a choice between words.

/// A value that is one of a few words.
pub trait Choice: Copy + PartialEq + 'static {
    /// The words and what they mean, the default first.
    const ALL: &'static [(&'static str, Self)];
}
