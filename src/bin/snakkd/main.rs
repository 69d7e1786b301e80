//! snakkd
fn main() {}
